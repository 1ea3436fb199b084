-- The keys of one partition, the same in every script that includes this; shared/keys.py says what each holds.
-- The last six are beginnings of names in the same slot, completed with a task id, a status or a nonce.
local SEQ, STORE_RUN, STREAM, TASKS, ENDED, PAYLOADS, LEASE, FENCE, RUNG, POSITION, WAITING, SECTIONS, OUTBOX,
  WEBHOOKS, TASK, PAYLOAD, ALSO_CHANGED, REPORT, BY_STATUS, NONCE = unpack(KEYS, 1, 20)

-- Task ids as text, padded so that text order is number order.
local function padded(task_id)
  return string.format('%010d', task_id)
end

-- Numbers as text: of big ones Lua by itself would write the first digits only.
local function digits(number)
  return string.format('%d', number)
end

-- Move a task from one status to another in the indexes.
local function move_status(task_id, from, to, submitted_ms)
  redis.call('ZREM', BY_STATUS .. from, padded(task_id))
  redis.call('ZADD', BY_STATUS .. to, submitted_ms, padded(task_id))
end

-- The same in its record too.
local function set_status(task_id, from, to)
  local submitted_ms = redis.call('HGET', TASK .. task_id, 'submitted_ms')
  redis.call('HSET', TASK .. task_id, 'status', to)
  move_status(task_id, from, to, submitted_ms)
end
