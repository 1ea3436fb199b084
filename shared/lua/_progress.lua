-- How far a task is: read with one command and written with one, as each takes a script a microsecond or two.  Needs
-- _partition.lua.

-- Read what a commit needs of a task's record, by name, and the counters that it raises: name and number in turn.
local function read_progress(record, raised)
  local names, found = {'status', 'chunks', 'chunks_done', 'started_ms'}, {}
  for i = 1, #raised, 2 do
    names[#names + 1] = raised[i]
  end
  for i, value in ipairs(redis.call('HMGET', record, unpack(names))) do
    found[names[i]] = value
  end
  return found
end

-- What the record becomes: fields, name and value in turn.
local function progress_of(before, raised, now_ms)
  local fields = {}
  for i = 1, #raised, 2 do
    fields[i], fields[i + 1] = raised[i], digits((before[raised[i]] or 0) + raised[i + 1])
  end
  if not before.started_ms then
    fields[#fields + 1], fields[#fields + 2] = 'started_ms', now_ms
  end
  return fields
end
