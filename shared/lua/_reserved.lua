-- The memory that waiting tasks will take once they are applied, beside their payloads.  It is reserved when they are
-- accepted and released as they are applied, or end.  Needs _partition.lua; RESERVED, the string, has to be there.
--
-- The task's record has `growth`, all that it was given, and `made`, what of that is released already.  The sum of what
-- is left of all tasks of the catalog is in WAITING, and that of all catalogs in RESERVED.

-- Of tasks accepted before there was a growth: what a payload byte, and an entry, usually become.
local OLD_GROWTH, OLD_ENTRY_GROWTH = 5, 200

-- What waits in the partition, counted.
local function read_waiting()
  local tasks, bytes, entries, reserved, kept_bytes, last_ms = unpack(redis.call('HMGET', WAITING, 'tasks', 'bytes',
    'entries', 'reserved', 'kept_bytes', 'last_ms'))
  return {tasks = tonumber(tasks) or 0, bytes = tonumber(bytes) or 0, entries = tonumber(entries) or 0,
    reserved = tonumber(reserved) or 0, kept_bytes = tonumber(kept_bytes) or 0, last_ms = tonumber(last_ms) or 0}
end

-- Is there room for so many bytes more?  Up to this percentage of the memory may be used or reserved.
local function has_room(more, full_percent)
  local memory = redis.call('INFO', 'memory')
  local most = tonumber(info_field(memory, 'maxmemory'))
  local taken = info_field(memory, 'used_memory') + (tonumber(redis.call('GET', RESERVED)) or 0)
  return most == 0 or taken + more <= most * full_percent / 100
end

-- The growth of a task of which this much is known, to be run again; it is at least so much, if that is given.
local function growth_again(growth, bytes, entries, least)
  return math.max(tonumber(growth) or bytes * OLD_GROWTH + entries * OLD_ENTRY_GROWTH, least or 0)
end

local function release(bytes)
  if bytes ~= 0 then
    redis.call('HINCRBY', WAITING, 'reserved', 0 - bytes)
    redis.call('DECRBY', RESERVED, bytes)
  end
end

-- Release what has been written of a new generation: from now on it is used.  A task that changes the one that is there
-- keeps all to its end: what it writes takes the place of something else, and says little.
local function release_made(task_id, bytes)
  local growth, made = unpack(redis.call('HMGET', TASK .. task_id, 'growth', 'made'))
  bytes = math.min(bytes, (tonumber(growth) or 0) - (tonumber(made) or 0))
  if bytes > 0 then
    redis.call('HINCRBY', TASK .. task_id, 'made', bytes)
    release(bytes)
  end
end

-- An empty queue reserves nothing: release what is left of tasks that were ended by an older Sluice.
local function release_leftover()
  local tasks, reserved = unpack(redis.call('HMGET', WAITING, 'tasks', 'reserved'))
  if tasks == '0' then
    release(tonumber(reserved) or 0)
  end
end
