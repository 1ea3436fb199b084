-- Give out task ids and append tasks.  Needs _partition.lua, _server_run.lua and _reserved.lua.

-- How many ids a run of the server has for itself in each catalog, before those of the next may begin.
local RUN_IDS = 10000

-- Pass over some ids, and note which: nothing of this catalog's has them, whatever a lost run may have said.
local function leave_gap(ids)
  local last = tonumber(redis.call('GET', SEQ)) or 0
  local first = redis.call('INCRBY', SEQ, ids) + 1
  local untold, gaps = tonumber(redis.call('HGET', WAITING, 'untold')) or 0, {}
  for gap, up_to in string.gmatch(redis.call('HGET', WAITING, 'gaps') or '', '(%d+%-(%d+))') do
    -- Of what the change feed no longer tells it need not be known.
    if tonumber(up_to) > untold then
      gaps[#gaps + 1] = gap
    end
  end
  gaps[#gaps + 1] = string.format('%d-%d', last, first)
  redis.call('HSET', WAITING, 'gaps', table.concat(gaps, ' '))
end

-- The next id; before anything is written.  The first that a catalog gives out in a run of the server lies above all
-- that earlier runs may have given out: a server can come back without its last second, and with the ids it gave out in
-- it.  `runs` are "<run id> <number>", each followed by a space, as far as the caller knows them; no crash can take back
-- the number of a run that is known.  See shared/store/id_writes.py.
local function next_task_id(runs)
  local run = server_run()
  -- A catalog that nobody knows may be one that an earlier run has lost: it begins where it would be if it had been first.
  local noted = redis.call('GET', STORE_RUN) or '- 1'
  if string.match(noted, '^%x*') ~= run then
    local number = tonumber(string.match(runs, run .. ' ([%d.]+) '))
    if not number then
      error({err = 'OTHERRUN ' .. run})
    end
    local before = tonumber(string.match(noted, ' ([%d.]+)$')) or 0
    if number > before then
      leave_gap(math.floor(RUN_IDS * (number - before)))
    end
    redis.call('SET', STORE_RUN, string.format('%s %.10g', run, math.max(number, before)))
  end
  return redis.call('INCR', SEQ)
end

-- Put a task, whose payload is in place, at the tail, and reserve its growth.  `facts` are further fields of its record,
-- name and value in turn.
local function append_task(waiting, task_id, now_ms, bytes, entries, growth, facts)
  waiting.tasks, waiting.bytes, waiting.entries = waiting.tasks + 1, waiting.bytes + bytes, waiting.entries + entries
  waiting.reserved = waiting.reserved + growth
  waiting.last_ms = math.max(tonumber(now_ms), waiting.last_ms)
  local submitted_ms = digits(waiting.last_ms)
  redis.call('HSET', TASK .. task_id, 'status', 'QUEUED', 'submitted_ms', submitted_ms, 'updated_ms', submitted_ms,
    'payload_bytes', bytes, 'entries', entries, 'growth', digits(growth), 'chunks_done', 0, unpack(facts))
  redis.call('ZADD', TASKS, submitted_ms, padded(task_id))
  redis.call('ZADD', BY_STATUS .. 'QUEUED', submitted_ms, padded(task_id))
  redis.call('HSET', WAITING, 'tasks', digits(waiting.tasks), 'bytes', digits(waiting.bytes),
    'entries', digits(waiting.entries), 'reserved', digits(waiting.reserved), 'last_ms', submitted_ms)
  redis.call('INCRBY', RESERVED, digits(growth))
  redis.call('XADD', STREAM, task_id .. '-0', 'bytes', bytes, 'entries', entries, 'growth', digits(growth))
end

-- Should the caller ring?  Only if nobody drains and nobody rang lately.
local function must_ring(rung_ttl_ms)
  if redis.call('EXISTS', LEASE) == 1 then
    return 0
  end
  return redis.call('SET', RUNG, 1, 'NX', 'PX', rung_ttl_ms) and 1 or 0
end
