#!lua
-- submit_batch: append a staged batch to its catalog's stream and create its task, or refuse it whole.
-- Its step in tests/model/protocol.pml: submit_batch.
--
-- KEYS      the partition, see _partition.lua, then
-- KEYS[21]  upload       list    the batch's chunk frames, staged by the caller; renamed to the payload
-- KEYS[22]  idempotency  string  "<digest> <task id>" of an earlier request with the same Idempotency-Key
-- KEYS[23]  minutes      string  entries accepted and applied in each minute of this hour
-- KEYS[24]  history      list    which tasks touched which entries
-- ARGV[1]   nonce of this call; a repeat gets the first answer
-- ARGV[2]   now, ms
-- ARGV[3]   chunks that must be staged
-- ARGV[4]   bytes staged
-- ARGV[5]   cap of waiting tasks
-- ARGV[6]   cap of waiting bytes
-- ARGV[7]   how long the nonce is kept, ms
-- ARGV[8]   how long a ring counts as under way, ms
-- ARGV[9]   digest of the request, or '' without an Idempotency-Key
-- ARGV[10]  how long the idempotency record is kept, ms
-- ARGV[11]  entries
-- ARGV[12]  a digest of each entry's id, 4 bytes
-- ARGV[13]  cap of the bytes of the history
-- ARGV[14…] further fields of the task record, name and value in turn
--
-- Returns {ACCEPTED | REPEATED | CONFLICT | TASKS_FULL | BYTES_FULL | UPLOAD_LOST, task id or 0, waiting tasks, ring}.

-- include: _partition
-- include: _submission

local UPLOAD, IDEMPOTENCY, MINUTES, HISTORY = unpack(KEYS, 21, 24)

-- include: _minutes
-- include: _history

local nonce, now_ms, chunks, bytes = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local digest = ARGV[9]

local waiting, waiting_bytes = unpack(redis.call('HMGET', WAITING, 'tasks', 'bytes'))
waiting, waiting_bytes = tonumber(waiting) or 0, tonumber(waiting_bytes) or 0

local function refuse(code, task_id)
  redis.call('UNLINK', UPLOAD)
  return {code, task_id or 0, waiting, 0}
end

local repeated = redis.call('GET', NONCE .. nonce)
if repeated then
  return refuse('REPEATED', tonumber(repeated))
end
if digest ~= '' then
  local record = redis.call('GET', IDEMPOTENCY)
  if record then
    local seen, task_id = string.match(record, '^(%S+) (%d+)$')
    return refuse(seen == digest and 'REPEATED' or 'CONFLICT', tonumber(task_id))
  end
end
if waiting >= tonumber(ARGV[5]) then
  return refuse('TASKS_FULL')
end
if waiting > 0 and waiting_bytes + bytes > tonumber(ARGV[6]) then
  return refuse('BYTES_FULL')
end
if redis.call('LLEN', UPLOAD) ~= chunks then
  return refuse('UPLOAD_LOST')
end

local task_id = next_task_id()
redis.call('RENAME', UPLOAD, PAYLOAD .. task_id)
redis.call('PERSIST', PAYLOAD .. task_id)
append_task(task_id, now_ms, bytes, ARGV[11], {unpack(ARGV, 14)})
remember(task_id, 0, 0, ARGV[12], tonumber(ARGV[13]))
count_minute(ACCEPTED, now_ms, ARGV[11])
redis.call('SET', NONCE .. nonce, task_id, 'PX', ARGV[7])
if digest ~= '' then
  redis.call('SET', IDEMPOTENCY, digest .. ' ' .. task_id, 'PX', ARGV[10])
end
return {'ACCEPTED', task_id, waiting + 1, must_ring(ARGV[8])}
