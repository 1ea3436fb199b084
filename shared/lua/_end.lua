-- End a task.  Needs _partition.lua and _kept.lua.

-- How many old payloads one end of a task lets go of: more than one, so that the bytes kept always shrink to the cap.
local TRIM_PAYLOADS = 4

local function trim_payloads(kept_cap_bytes)
  local kept = tonumber(redis.call('HGET', WAITING, 'kept_bytes')) or 0
  if kept <= kept_cap_bytes then
    return
  end
  local oldest = redis.call('ZRANGE', PAYLOADS, 0, TRIM_PAYLOADS - 1)
  for _, member in ipairs(oldest) do
    if kept <= kept_cap_bytes then
      return
    end
    kept = kept - drop_payload(member)
  end
end

-- Have it told outside, if anybody wants to know: webhooks of any end, mail of a failure.
local function tell_outside(task_id, status, now_ms)
  if redis.call('EXISTS', WEBHOOKS) == 1
    or status == 'FAILED' and redis.call('HEXISTS', TASK .. task_id, 'notify') == 1 then
    redis.call('ZADD', OUTBOX, now_ms, padded(task_id))
  end
end

-- Take a task off the stream with its terminal status; its payload is kept for audit up to the cap.
local function end_task(task_id, from, to, now_ms, kept_cap_bytes)
  local bytes, entries = unpack(redis.call('HMGET', TASK .. task_id, 'payload_bytes', 'entries'))
  bytes, entries = tonumber(bytes) or 0, tonumber(entries) or 0
  set_status(task_id, from, to)
  redis.call('HSET', TASK .. task_id, 'updated_ms', now_ms)
  redis.call('ZADD', ENDED, now_ms, padded(task_id))
  redis.call('ZADD', PAYLOADS, now_ms, padded(task_id))
  redis.call('HINCRBY', WAITING, 'tasks', -1)
  redis.call('HINCRBY', WAITING, 'bytes', -bytes)
  redis.call('HINCRBY', WAITING, 'entries', -entries)
  redis.call('HINCRBY', WAITING, 'kept_bytes', bytes)
  redis.call('XDEL', STREAM, task_id .. '-0')
  tell_outside(task_id, to, now_ms)
  trim_payloads(kept_cap_bytes)
end
