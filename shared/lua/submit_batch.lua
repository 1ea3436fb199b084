#!lua
-- submit_batch: append a batch to its catalog's stream and create its task, or refuse it whole.
-- Its step in tests/model/protocol.pml: submit_batch.
--
-- KEYS  the partition (_partition.lua), then
-- KEYS  UPLOAD              list    the batch's chunk frames, if staged by the caller; renamed to the payload
-- KEYS  IDEMPOTENCY         string  "<digest> <task id>" of an earlier request with the same Idempotency-Key
-- KEYS  MINUTES             string  entries accepted and applied in each minute of this hour
-- KEYS  HISTORY             list    which tasks touched which entries
-- KEYS  RESERVED            string  memory that waiting tasks will take, over all catalogs
-- ARGV  nonce               names this call; a repeat gets the first answer
-- ARGV  now_ms
-- ARGV  runs                the runs of the server and their numbers (_submission.lua)
-- ARGV  chunks              chunks that must be staged
-- ARGV  bytes               bytes of the frames
-- ARGV  max_tasks           cap of waiting tasks
-- ARGV  max_bytes           cap of waiting bytes
-- ARGV  nonce_ttl_ms        how long the nonce is kept
-- ARGV  rung_ttl_ms         how long a wake-up counts as under way
-- ARGV  digest              digest of the request, or '' without an Idempotency-Key
-- ARGV  idempotency_ttl_ms  how long the idempotency record is kept
-- ARGV  entries             how many there are
-- ARGV  growth              bytes of memory that it takes once it is applied, beside its payload
-- ARGV  full_percent        how much of the memory may be used or reserved
-- ARGV  touched             a digest of each entry's id, 4 bytes
-- ARGV  history_cap_bytes   cap of the history's bytes
-- ARGV  frame               the one frame of a small batch; '' if frames are staged
-- ARGV  facts…              further fields of the task record, name and value in turn
--
-- Returns {ACCEPTED | REPEATED | CONFLICT | TASKS_FULL | BYTES_FULL | STORE_FULL | UPLOAD_LOST, task id or 0,
-- waiting tasks, ring}.

-- include: _partition
-- include: _info
-- include: _server_run
-- include: _reserved
-- include: _submission
-- include: _repeats

-- include: _minutes
-- include: _history

local staged = frame == ''
local waiting = read_waiting()

local function refuse(code, task_id)
  if staged then
    redis.call('UNLINK', UPLOAD)
  end
  return {code, task_id or 0, waiting.tasks, 0}
end

local repeated, conflict = earlier_answer(nonce, nonce_ttl_ms, digest)
if repeated or conflict then
  return refuse(repeated and 'REPEATED' or 'CONFLICT', tonumber(repeated))
end
if waiting.tasks >= tonumber(max_tasks) then
  return refuse('TASKS_FULL')
end
if waiting.tasks > 0 and waiting.bytes + tonumber(bytes) > tonumber(max_bytes) then
  return refuse('BYTES_FULL')
end
if not has_room(tonumber(growth), tonumber(full_percent)) then
  return refuse('STORE_FULL')
end
if staged and redis.call('LLEN', UPLOAD) ~= tonumber(chunks) then
  return refuse('UPLOAD_LOST')
end

local task_id = next_task_id(runs)
if staged then
  redis.call('RENAME', UPLOAD, PAYLOAD .. task_id)
  redis.call('PERSIST', PAYLOAD .. task_id)
else
  redis.call('RPUSH', PAYLOAD .. task_id, frame)
end
append_task(waiting, task_id, now_ms, tonumber(bytes), entries, tonumber(growth), facts)
remember(task_id, 0, 0, touched, tonumber(history_cap_bytes))
count_minute(ACCEPTED, now_ms, entries)
keep_answer(nonce, task_id, nonce_ttl_ms, digest, idempotency_ttl_ms)
return {'ACCEPTED', task_id, waiting.tasks, must_ring(rung_ttl_ms)}
