-- Count what a task does, warn of it, and end it.  Needs _partition.lua, _kept.lua and _reserved.lua.

-- Bytes of warnings after which a task gets no more: each commit would read and write all of them, and so would readers.
local LONGEST_WARNINGS = 1000000

-- Raise counters of a task: name and number in turn.
local function raise_counters(task_id, raised)
  for i = 1, #raised, 2 do
    redis.call('HINCRBY', TASK .. task_id, raised[i], raised[i + 1])
  end
end

local function add_warnings(task_id, warnings)
  local before = redis.call('HGET', TASK .. task_id, 'warnings')
  if not before or #before < LONGEST_WARNINGS then
    redis.call('HSET', TASK .. task_id, 'warnings', before and (before .. ',' .. warnings) or warnings)
  end
end

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

-- Add it to the outbox if needed: webhooks for any end, an e-mail for a failure.
local function tell_outside(task_id, status, now_ms)
  if redis.call('EXISTS', WEBHOOKS) == 1
    or status == 'FAILED' and redis.call('HEXISTS', TASK .. task_id, 'notify') == 1 then
    redis.call('ZADD', OUTBOX, now_ms, padded(task_id))
  end
end

-- Take a task off the stream with its terminal status; its payload is kept for audit up to the cap.
local function end_task(task_id, from, to, now_ms, kept_cap_bytes)
  local bytes, entries, growth, made = unpack(redis.call('HMGET', TASK .. task_id, 'payload_bytes', 'entries', 'growth',
    'made'))
  bytes, entries = tonumber(bytes) or 0, tonumber(entries) or 0
  set_status(task_id, from, to)
  redis.call('HSET', TASK .. task_id, 'updated_ms', now_ms)
  redis.call('ZADD', ENDED, now_ms, padded(task_id))
  redis.call('ZADD', PAYLOADS, now_ms, padded(task_id))
  redis.call('HINCRBY', WAITING, 'tasks', -1)
  -- Subtracted: -0, as there is in Lua, is no number to Redis before 7.2.
  redis.call('HINCRBY', WAITING, 'bytes', 0 - bytes)
  redis.call('HINCRBY', WAITING, 'entries', 0 - entries)
  redis.call('HINCRBY', WAITING, 'kept_bytes', bytes)
  release((tonumber(growth) or 0) - (tonumber(made) or 0))
  redis.call('XDEL', STREAM, task_id .. '-0')
  tell_outside(task_id, to, now_ms)
  trim_payloads(kept_cap_bytes)
end
