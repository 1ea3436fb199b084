#!lua flags=allow-oom
-- change_tasks: cancel waiting tasks and re-run ended ones, all or none.
-- Its step in tests/model/protocol.pml: change_tasks.
--
-- A re-run is a new task at the tail with a copy of the payload; the old one keeps its status.  Of exports there may be
-- one that has not ended.  Where memory is full
-- tasks can be canceled, which makes room, and not run again.
--
-- KEYS      the partition, see _partition.lua, then
-- KEYS[21]  minutes  string  entries accepted and applied in each minute of this hour
-- KEYS[22]  history  list    which tasks touched which entries
-- KEYS[23]  exports  zset    the tasks that are exports
-- KEYS[24]  export_files  zset  exports that have files, or may
-- ARGV[1]   nonce of this call; a repeat gets the first answer
-- ARGV[2]   now, ms
-- ARGV[3]   runs of the server and their numbers, see _submission.lua
-- ARGV[4]   who asks
-- ARGV[5]   cap of waiting tasks
-- ARGV[6]   cap of waiting bytes
-- ARGV[7]   cap of payload bytes kept for audit
-- ARGV[8]   how long the nonce is kept, ms
-- ARGV[9]   how long a ring counts as under way, ms
-- ARGV[10…] task id and CANCEL or RERUN, in turn; no id twice
--
-- Returns {CHANGED, ring, ids of the canceled and of the new tasks, in the order asked for…}
-- or {NOT_FOUND | NOT_QUEUED | NOT_ENDED | PAYLOAD_GONE | EXPORTING, task id} | {TASKS_FULL, 0} | {BYTES_FULL, 0}
-- | {STORE_FULL, 0}.

-- include: _partition
-- include: _submission
-- include: _kept
-- include: _end

local MINUTES, HISTORY, EXPORTS, EXPORT_FILES = unpack(KEYS, 21, 24)

-- include: _minutes
-- include: _history
-- include: _exports

local FIRST = 10

local nonce, now_ms, runs, who = unpack(ARGV, 1, 4)

local repeated = redis.call('GET', NONCE .. nonce)
if repeated then
  local answer = {'CHANGED', 0}
  for task_id in string.gmatch(repeated, '%d+') do
    answer[#answer + 1] = tonumber(task_id)
  end
  return answer
end

local more_tasks, more_bytes, exporting = 0, 0, nil
for i = FIRST, #ARGV, 2 do
  local task_id, change = ARGV[i], ARGV[i + 1]
  local status, bytes, export = unpack(redis.call('HMGET', TASK .. task_id, 'status', 'payload_bytes', 'export'))
  if not status then
    return {'NOT_FOUND', tonumber(task_id)}
  end
  if change == 'CANCEL' then
    if status ~= 'QUEUED' then
      return {'NOT_QUEUED', tonumber(task_id)}
    end
    more_tasks, more_bytes = more_tasks - 1, more_bytes - bytes
  else
    if status == 'QUEUED' or status == 'IN_PROGRESS' then
      return {'NOT_ENDED', tonumber(task_id)}
    end
    if redis.call('EXISTS', PAYLOAD .. task_id) == 0 then
      return {'PAYLOAD_GONE', tonumber(task_id)}
    end
    if export then
      exporting = exporting or waiting_export()
      if exporting then
        return {'EXPORTING', tonumber(exporting)}
      end
      exporting = task_id
    end
    more_tasks, more_bytes = more_tasks + 1, more_bytes + bytes
  end
end
local reruns = false
for i = FIRST + 1, #ARGV, 2 do
  reruns = reruns or ARGV[i] == 'RERUN'
end
if reruns then
  local memory = redis.call('INFO', 'memory')
  local used, most = string.match(memory, 'used_memory:(%d+)'), string.match(memory, 'maxmemory:(%d+)')
  if most ~= '0' and tonumber(used) > tonumber(most) then
    return {'STORE_FULL', 0}
  end
end
local waiting = read_waiting()
if more_tasks > 0 and waiting.tasks + more_tasks > tonumber(ARGV[5]) then
  return {'TASKS_FULL', 0}
end
if more_bytes > 0 and waiting.bytes + more_bytes > tonumber(ARGV[6]) then
  return {'BYTES_FULL', 0}
end

-- Re-runs come first: ending a task may trim the payload that one of them needs.
local ids, ring = {}, 0
for i = FIRST, #ARGV, 2 do
  local old = ARGV[i]
  if ARGV[i + 1] == 'RERUN' then
    local task_id = next_task_id(runs)
    redis.call('COPY', PAYLOAD .. old, PAYLOAD .. task_id)
    local batch, section, entries, chunks, bytes, notify, builds, export = unpack(redis.call('HMGET', TASK .. old,
      'batch', 'section', 'entries', 'chunks', 'payload_bytes', 'notify', 'builds', 'export'))
    append_task(waiting, task_id, now_ms, bytes, entries, {'batch', batch, 'section', section, 'chunks', chunks,
      'retry_of', old, 'rerun_by', who})
    if notify then
      redis.call('HSET', TASK .. task_id, 'notify', notify)
    end
    if builds then
      redis.call('HSET', TASK .. task_id, 'builds', builds)
    end
    if export then
      note_export(task_id)
    end
    redis.call('HSET', TASK .. old, 'rerun_as', task_id)
    remember(task_id, old, 0, '', math.huge)
    count_minute(ACCEPTED, now_ms, entries)
    ids[(i - FIRST) / 2 + 1] = tonumber(task_id)
    ring = 1
  end
end
for i = FIRST, #ARGV, 2 do
  if ARGV[i + 1] == 'CANCEL' then
    redis.call('HSET', TASK .. ARGV[i], 'canceled_by', who)
    if redis.call('XRANGE', STREAM, '-', '+', 'COUNT', 1)[1][1] == ARGV[i] .. '-0' then
      -- The owners that were lost at the head are not the fault of the next.
      redis.call('HDEL', POSITION, 'lost')
    end
    end_task(ARGV[i], 'QUEUED', 'CANCELED', now_ms, tonumber(ARGV[7]))
    ids[(i - FIRST) / 2 + 1] = tonumber(ARGV[i])
  end
end
if ring == 1 then
  ring = must_ring(ARGV[9])
end
redis.call('SET', NONCE .. nonce, table.concat(ids, ' '), 'PX', ARGV[8])
return {'CHANGED', ring, unpack(ids)}
