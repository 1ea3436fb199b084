-- Count what a task does, warn of it, and end it.  Needs _partition.lua, _kept.lua and _reserved.lua.

-- Bytes of warnings after which a task gets no more: each commit would read and write all of them, and so would readers.
local LONGEST_WARNINGS = 1000000

local function add_warnings(task_id, warnings)
  local before = redis.call('HGET', TASK .. task_id, 'warnings')
  if not before or #before < LONGEST_WARNINGS then
    redis.call('HSET', TASK .. task_id, 'warnings', before and (before .. ',' .. warnings) or warnings)
  end
end

-- How many old payloads one end of a task lets go of: more than one, so that the bytes kept always shrink to the cap.
local TRIM_PAYLOADS = 4

local function trim_payloads(kept, kept_cap_bytes)
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

-- Take a task off the stream with its terminal status; its payload is kept for audit up to the cap.  What is counted is
-- read with one command and written with one, where there is a choice: each takes a script a microsecond or two.
-- `also`: further fields of the task's record, name and value in turn.
local function end_task(task_id, from, to, now_ms, kept_cap_bytes, also)
  local record, member = TASK .. task_id, padded(task_id)
  local bytes, entries, growth, made, submitted_ms = unpack(redis.call('HMGET', record, 'payload_bytes', 'entries',
    'growth', 'made', 'submitted_ms'))
  bytes = tonumber(bytes) or 0
  redis.call('HSET', record, 'status', to, 'updated_ms', now_ms, unpack(also or {}))
  move_status(task_id, from, to, submitted_ms)
  redis.call('ZADD', ENDED, now_ms, member)
  redis.call('ZADD', PAYLOADS, now_ms, member)
  local waiting, left = read_waiting(), (tonumber(growth) or 0) - (tonumber(made) or 0)
  local kept = waiting.kept_bytes + bytes
  redis.call('HSET', WAITING, 'tasks', digits(waiting.tasks - 1), 'bytes', digits(waiting.bytes - bytes),
    'entries', digits(waiting.entries - (tonumber(entries) or 0)), 'reserved', digits(waiting.reserved - left),
    'kept_bytes', digits(kept))
  if left ~= 0 then
    redis.call('DECRBY', RESERVED, digits(left))
  end
  redis.call('XDEL', STREAM, task_id .. '-0')
  tell_outside(task_id, to, now_ms)
  trim_payloads(kept, kept_cap_bytes)
end
