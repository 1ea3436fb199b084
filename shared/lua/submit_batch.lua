#!lua
-- submit_batch: append a batch to its catalog's stream and create its task, or refuse it whole.
-- Its step in tests/model/protocol.pml: submit_batch.
--
-- KEYS      the partition, see _partition.lua, then
-- KEYS[21]  upload       list    the batch's chunk frames, if staged by the caller; renamed to the payload
-- KEYS[22]  idempotency  string  "<digest> <task id>" of an earlier request with the same Idempotency-Key
-- KEYS[23]  minutes      string  entries accepted and applied in each minute of this hour
-- KEYS[24]  history      list    which tasks touched which entries
-- ARGV[1]   nonce of this call; a repeat gets the first answer
-- ARGV[2]   now, ms
-- ARGV[3]   runs of the server and their numbers, see _submission.lua
-- ARGV[4]   chunks that must be staged
-- ARGV[5]   bytes of the frames
-- ARGV[6]   cap of waiting tasks
-- ARGV[7]   cap of waiting bytes
-- ARGV[8]   how long the nonce is kept, ms
-- ARGV[9]   how long a ring counts as under way, ms
-- ARGV[10]  digest of the request, or '' without an Idempotency-Key
-- ARGV[11]  how long the idempotency record is kept, ms
-- ARGV[12]  entries
-- ARGV[13]  a digest of each entry's id, 4 bytes
-- ARGV[14]  cap of the bytes of the history
-- ARGV[15]  the one frame of a small batch; '' if frames are staged
-- ARGV[16…] further fields of the task record, name and value in turn
--
-- Returns {ACCEPTED | REPEATED | CONFLICT | TASKS_FULL | BYTES_FULL | UPLOAD_LOST, task id or 0, waiting tasks, ring}.

-- include: _partition
-- include: _submission

local UPLOAD, IDEMPOTENCY, MINUTES, HISTORY = unpack(KEYS, 21, 24)

-- include: _minutes
-- include: _history

local nonce, now_ms, runs, chunks, bytes = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
local digest, frame = ARGV[10], ARGV[15]
local staged = frame == ''
local waiting = read_waiting()

local function refuse(code, task_id)
  if staged then
    redis.call('UNLINK', UPLOAD)
  end
  return {code, task_id or 0, waiting.tasks, 0}
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
if waiting.tasks >= tonumber(ARGV[6]) then
  return refuse('TASKS_FULL')
end
if waiting.tasks > 0 and waiting.bytes + bytes > tonumber(ARGV[7]) then
  return refuse('BYTES_FULL')
end
if staged and redis.call('LLEN', UPLOAD) ~= chunks then
  return refuse('UPLOAD_LOST')
end

local task_id = next_task_id(runs)
if staged then
  redis.call('RENAME', UPLOAD, PAYLOAD .. task_id)
  redis.call('PERSIST', PAYLOAD .. task_id)
else
  redis.call('RPUSH', PAYLOAD .. task_id, frame)
end
append_task(waiting, task_id, now_ms, bytes, ARGV[12], {unpack(ARGV, 16)})
remember(task_id, 0, 0, ARGV[13], tonumber(ARGV[14]))
count_minute(ACCEPTED, now_ms, ARGV[12])
redis.call('SET', NONCE .. nonce, task_id, 'PX', ARGV[8])
if digest ~= '' then
  redis.call('SET', IDEMPOTENCY, digest .. ' ' .. task_id, 'PX', ARGV[11])
end
return {'ACCEPTED', task_id, waiting.tasks, must_ring(ARGV[9])}
