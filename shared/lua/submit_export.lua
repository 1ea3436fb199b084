#!lua
-- submit_export: append an export to its catalog's stream and create its task, unless another one has not ended.
--
-- KEYS      the partition, see _partition.lua, then
-- KEYS[21]  exports       zset  the tasks that are exports
-- KEYS[22]  export_files  zset  exports that have files, or may
-- ARGV[1]   nonce of this call; a repeat gets the first answer
-- ARGV[2]   now, ms
-- ARGV[3]   runs of the server and their numbers, see _submission.lua
-- ARGV[4]   the request, as a chunk frame without entries
-- ARGV[5]   cap of waiting tasks
-- ARGV[6]   how long the nonce is kept, ms
-- ARGV[7]   how long a ring counts as under way, ms
-- ARGV[8…]  further fields of the task record, name and value in turn
--
-- Returns {ACCEPTED | REPEATED | EXPORTING | TASKS_FULL, task id or 0, waiting tasks, ring}; EXPORTING with the id of
-- the one that has not ended.

-- include: _partition
-- include: _submission

local EXPORTS, EXPORT_FILES = KEYS[21], KEYS[22]

-- include: _exports

local nonce, now_ms, runs, frame = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local waiting = read_waiting()

local repeated = redis.call('GET', NONCE .. nonce)
if repeated then
  return {'REPEATED', tonumber(repeated), waiting.tasks, 0}
end
local exporting = waiting_export()
if exporting then
  return {'EXPORTING', tonumber(exporting), waiting.tasks, 0}
end
if waiting.tasks >= tonumber(ARGV[5]) then
  return {'TASKS_FULL', 0, waiting.tasks, 0}
end

local task_id = next_task_id(runs)
redis.call('RPUSH', PAYLOAD .. task_id, frame)
append_task(waiting, task_id, now_ms, #frame, 0, {unpack(ARGV, 8)})
note_export(task_id)
redis.call('SET', NONCE .. nonce, task_id, 'PX', ARGV[6])
return {'ACCEPTED', task_id, waiting.tasks, must_ring(ARGV[7])}
