-- The keys of one partition, the same in every script that includes this; shared/keys.py says what each holds.
-- The last six are beginnings of names in the same slot, completed with a task id, a status or a nonce.
local SEQ, STORE_RUN, STREAM, TASKS, ENDED, PAYLOADS, LEASE, FENCE, RUNG, POSITION, WAITING, SECTIONS, OUTBOX,
  WEBHOOKS, TASK, PAYLOAD, ALSO_CHANGED, REPORT, BY_STATUS, NONCE = unpack(KEYS, 1, 20)

-- Task ids as text, padded so that text order is number order.
local function padded(task_id)
  return string.format('%010d', task_id)
end

-- Move a task from one status to another, in its record and in the indexes.
local function set_status(task_id, from, to)
  local member = padded(task_id)
  local submitted_ms = redis.call('HGET', TASK .. task_id, 'submitted_ms')
  redis.call('HSET', TASK .. task_id, 'status', to)
  redis.call('ZREM', BY_STATUS .. from, member)
  redis.call('ZADD', BY_STATUS .. to, submitted_ms, member)
end
