-- Give out task ids and append tasks.  Needs _partition.lua.

-- How many ids a run of the server has for itself in each catalog, before those of the next may begin.
local RUN_IDS = 10000

-- The next id; before anything is written.  The first that a catalog gives out in a run of the server lies above all
-- that earlier runs may have given out: a server can come back without its last second, and with the ids it gave out in
-- it.  `runs` are "<run id> <number>", each followed by a space, as far as the caller knows them; no crash can take back
-- the number of a run that is known.  See shared/store_runs.py.
local function next_task_id(runs)
  local run = server_run()
  -- A catalog that nobody knows may be one that an earlier run has lost: it begins where it would be if it had been first.
  local noted = redis.call('GET', STORE_RUN) or '- 1'
  if string.match(noted, '^%x*') ~= run then
    local number = tonumber(string.match(runs, run .. ' (%d+) '))
    if not number then
      error({err = 'OTHERRUN ' .. run})
    end
    local before = tonumber(string.match(noted, ' (%d+)$')) or 0
    if number > before then
      redis.call('INCRBY', SEQ, RUN_IDS * (number - before))
    end
    redis.call('SET', STORE_RUN, run .. ' ' .. math.max(number, before))
  end
  return redis.call('INCR', SEQ)
end

-- What waits in the partition, counted; append_task keeps it up to date.
local function read_waiting()
  local tasks, bytes, entries, last_ms = unpack(redis.call('HMGET', WAITING, 'tasks', 'bytes', 'entries', 'last_ms'))
  return {tasks = tonumber(tasks) or 0, bytes = tonumber(bytes) or 0, entries = tonumber(entries) or 0,
    last_ms = tonumber(last_ms) or 0}
end

-- Numbers as text: of big ones Lua by itself would write the first digits only.
local function digits(number)
  return string.format('%d', number)
end

-- Put a task, whose payload is in place, at the tail.  `facts` are further fields of its record, name and value in turn.
local function append_task(waiting, task_id, now_ms, bytes, entries, facts)
  waiting.tasks, waiting.bytes, waiting.entries = waiting.tasks + 1, waiting.bytes + bytes, waiting.entries + entries
  waiting.last_ms = math.max(tonumber(now_ms), waiting.last_ms)
  local submitted_ms = digits(waiting.last_ms)
  redis.call('HSET', TASK .. task_id, 'status', 'QUEUED', 'submitted_ms', submitted_ms, 'updated_ms', submitted_ms,
    'payload_bytes', bytes, 'entries', entries, 'chunks_done', 0, unpack(facts))
  redis.call('ZADD', TASKS, submitted_ms, padded(task_id))
  redis.call('ZADD', BY_STATUS .. 'QUEUED', submitted_ms, padded(task_id))
  redis.call('HSET', WAITING, 'tasks', digits(waiting.tasks), 'bytes', digits(waiting.bytes),
    'entries', digits(waiting.entries), 'last_ms', submitted_ms)
  redis.call('XADD', STREAM, task_id .. '-0', 'bytes', bytes, 'entries', entries)
end

-- Should the caller ring?  Only if nobody drains and nobody rang lately.
local function must_ring(rung_ttl_ms)
  if redis.call('EXISTS', LEASE) == 1 then
    return 0
  end
  return redis.call('SET', RUNG, 1, 'NX', 'PX', rung_ttl_ms) and 1 or 0
end
