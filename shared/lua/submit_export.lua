#!lua
-- submit_export: append an export to its catalog's stream and create its task, unless another one has not ended.
--
-- KEYS  the partition (_partition.lua), then
-- KEYS  EXPORTS             zset    the tasks that are exports
-- KEYS  EXPORT_FILES        zset    exports that have files, or may
-- KEYS  RESERVED            string  memory that waiting tasks will take, over all catalogs
-- KEYS  IDEMPOTENCY         string  "<digest> <task id>" of an earlier request with the same Idempotency-Key
-- ARGV  nonce               names this call; a repeat gets the first answer
-- ARGV  now_ms
-- ARGV  runs                the runs of the server and their numbers (_submission.lua)
-- ARGV  frame               the request, as a chunk frame without entries
-- ARGV  growth              bytes of memory that it takes once it is written, beside its payload
-- ARGV  full_percent        how much of the memory may be used or reserved
-- ARGV  max_tasks           cap of waiting tasks
-- ARGV  nonce_ttl_ms        how long the nonce is kept
-- ARGV  rung_ttl_ms         how long a wake-up counts as under way
-- ARGV  digest              digest of the request, or '' without an Idempotency-Key
-- ARGV  idempotency_ttl_ms  how long the idempotency record is kept
-- ARGV  facts…              further fields of the task record, name and value in turn
--
-- Returns {ACCEPTED | REPEATED | CONFLICT | EXPORTING | TASKS_FULL | STORE_FULL, task id or 0, waiting tasks, ring};
-- EXPORTING with the id of the one that has not ended.

-- include: _partition
-- include: _info
-- include: _server_run
-- include: _reserved
-- include: _submission
-- include: _repeats

-- include: _exports

local waiting = read_waiting()

local repeated, conflict = earlier_answer(nonce, nonce_ttl_ms, digest)
if repeated or conflict then
  return {repeated and 'REPEATED' or 'CONFLICT', tonumber(repeated) or 0, waiting.tasks, 0}
end
local exporting = waiting_export()
if exporting then
  -- Written, as by note_answer.
  redis.call('HSET', TASK .. exporting, 'export', 1)
  return {'EXPORTING', tonumber(exporting), waiting.tasks, 0}
end
if waiting.tasks >= tonumber(max_tasks) then
  return {'TASKS_FULL', 0, waiting.tasks, 0}
end
if not has_room(tonumber(growth), tonumber(full_percent)) then
  return {'STORE_FULL', 0, waiting.tasks, 0}
end

local task_id = next_task_id(runs)
redis.call('RPUSH', PAYLOAD .. task_id, frame)
append_task(waiting, task_id, now_ms, #frame, 0, tonumber(growth), facts)
note_export(task_id)
keep_answer(nonce, task_id, nonce_ttl_ms, digest, idempotency_ttl_ms)
return {'ACCEPTED', task_id, waiting.tasks, must_ring(rung_ttl_ms)}
