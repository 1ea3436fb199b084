-- A generation that was built takes the place of the one that readers have seen, at once.  Needs _partition.lua.

-- Delete the first `replaced` keys; the others are pairs of a key that is taken over and its new name.
local function flip(task_id, keys, replaced, sections)
  for i = 1, replaced do
    redis.call('UNLINK', keys[i])
  end
  for i = replaced + 1, #keys, 2 do
    if redis.call('EXISTS', keys[i]) == 1 then
      redis.call('RENAME', keys[i], keys[i + 1])
    end
  end
  for _, section in ipairs(sections) do
    redis.call('HSET', SECTIONS, section, task_id)
  end
end
