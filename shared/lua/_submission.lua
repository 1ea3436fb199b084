-- Give out task ids.  Needs _partition.lua.

-- The next id; before anything is written.  Only if the catalog knows the run of the server that is on: another may have
-- come back without its last second, and with the ids it gave out in it.  See shared/store_runs.py.
local function next_task_id()
  local run = server_run()
  if string.match(redis.call('GET', STORE_RUN) or '', '^%x*') ~= run then
    error({err = 'OTHERRUN ' .. run})
  end
  return redis.call('INCR', SEQ)
end

-- Put a task, whose payload is in place, at the tail.  `facts` are further fields of its record, name and value in turn.
local function append_task(task_id, now_ms, bytes, entries, facts)
  local last_ms = tonumber(redis.call('HGET', WAITING, 'last_ms')) or 0
  local submitted_ms = string.format('%d', math.max(tonumber(now_ms), last_ms))
  redis.call('HSET', TASK .. task_id, 'status', 'QUEUED', 'submitted_ms', submitted_ms, 'updated_ms', submitted_ms,
    'payload_bytes', bytes, 'entries', entries, 'chunks_done', 0, unpack(facts))
  redis.call('ZADD', TASKS, submitted_ms, padded(task_id))
  redis.call('ZADD', BY_STATUS .. 'QUEUED', submitted_ms, padded(task_id))
  redis.call('HINCRBY', WAITING, 'tasks', 1)
  redis.call('HINCRBY', WAITING, 'bytes', bytes)
  redis.call('HINCRBY', WAITING, 'entries', entries)
  redis.call('HSET', WAITING, 'last_ms', submitted_ms)
  redis.call('XADD', STREAM, task_id .. '-0', 'bytes', bytes, 'entries', entries)
end

-- Should the caller ring?  Only if nobody drains and nobody rang lately.
local function must_ring(rung_ttl_ms)
  if redis.call('EXISTS', LEASE) == 1 then
    return 0
  end
  return redis.call('SET', RUNG, 1, 'NX', 'PX', rung_ttl_ms) and 1 or 0
end
