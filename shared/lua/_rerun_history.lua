-- What tasks touch that run others again.  Needs _history.lua and the arguments touched and history_cap_bytes.

local lines, at = {}, 1
while at <= #touched do
  local old, first, length = struct.unpack('>I4I4I4', touched, at)
  local line = {first, string.sub(touched, at + 12, at + 11 + length)}
  lines[old] = lines[old] or {}
  table.insert(lines[old], 1, line)
  at = at + 12 + length
end

-- Note what a re-run touches, in lines of its own: those of the task that it re-runs go with that one.
local function remember_again(task_id, old)
  for _, line in ipairs(lines[tonumber(old)] or {}) do
    remember(task_id, 0, line[1], line[2], tonumber(history_cap_bytes))
  end
  if not lines[tonumber(old)] then
    remember(task_id, old, 0, '', math.huge)
  end
end
