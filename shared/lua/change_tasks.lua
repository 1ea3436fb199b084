#!lua flags=allow-oom
-- change_tasks: cancel queued tasks and re-run ended ones, all or none.
-- Its step in tests/model/protocol.pml: change_tasks.
--
-- A re-run is a new task at the tail with a copy of the payload; the old one keeps its status.  At most one
-- export may be under way.  Where memory is full, tasks can be canceled, which makes room, but not run again.
--
-- KEYS  the partition (_partition.lua), then
-- KEYS  MINUTES             string  entries accepted and applied in each minute of this hour
-- KEYS  HISTORY             list    which tasks touched which entries
-- KEYS  RESERVED            string  memory that waiting tasks will take, over all catalogs
-- KEYS  EXPORTS             zset    the tasks that are exports
-- KEYS  EXPORT_FILES        zset    exports that have files, or may
-- KEYS  IDEMPOTENCY         string  "<digest> <answer>" of an earlier request with the same Idempotency-Key
-- ARGV  nonce               names this call; a repeat gets the first answer
-- ARGV  now_ms
-- ARGV  runs                the runs of the server and their numbers (_submission.lua)
-- ARGV  who                 who asks
-- ARGV  max_tasks           cap of waiting tasks
-- ARGV  max_bytes           cap of waiting bytes
-- ARGV  full_percent        how much of the memory may be used or reserved
-- ARGV  kept_cap_bytes      cap of the payload bytes kept for audit
-- ARGV  nonce_ttl_ms        how long the nonce is kept
-- ARGV  rung_ttl_ms         how long a wake-up counts as under way
-- ARGV  digest              digest of the request, or '' without an Idempotency-Key
-- ARGV  idempotency_ttl_ms  how long the idempotency record is kept
-- ARGV  history_cap_bytes   cap of the history's bytes
-- ARGV  touched             what the history has of the tasks to run again: task id, index of the first entry, length of
--                           the digests (4 bytes each), digests
-- ARGV  forced              msgpack: task id → the batch to run instead of its own; '' if there are none
-- ARGV  growths             msgpack: task id → bytes that it takes now, if that may be more than at first; '' if there are none
-- ARGV  changes…            task id and CANCEL or RERUN, in turn; no id twice
--
-- Returns {CHANGED | REPEATED, ring, ids of the canceled and of the new tasks, in the order asked for…}
-- or {NOT_FOUND | NOT_QUEUED | NOT_ENDED | PAYLOAD_GONE | EXPORTING, task id} | {TASKS_FULL, 0} | {BYTES_FULL, 0}
-- | {STORE_FULL, 0} | {CONFLICT, 0}.

-- include: _partition
-- include: _info
-- include: _server_run
-- include: _reserved
-- include: _submission
-- include: _repeats
-- include: _kept
-- include: _end

-- include: _minutes
-- include: _history
-- include: _rerun_history
-- include: _exports

local repeated, conflict = earlier_answer(nonce, nonce_ttl_ms, digest)
if conflict then
  return {'CONFLICT', 0}
end
if repeated then
  local answer = {'REPEATED', 0}
  for task_id in string.gmatch(repeated, '%d+') do
    answer[#answer + 1] = tonumber(task_id)
  end
  return answer
end

local least = growths == '' and {} or cmsgpack.unpack(growths)
local more_tasks, more_bytes, more_memory, exporting = 0, 0, 0, nil
for i = 1, #changes, 2 do
  local task_id, change = changes[i], changes[i + 1]
  local status, bytes, entries, growth, export = unpack(redis.call('HMGET', TASK .. task_id, 'status', 'payload_bytes',
    'entries', 'growth', 'export'))
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
    more_memory = more_memory + bytes + growth_again(growth, bytes, entries, least[task_id])
  end
end
if more_memory > 0 and not has_room(more_memory, tonumber(full_percent)) then
  return {'STORE_FULL', 0}
end
local waiting = read_waiting()
if more_tasks > 0 and waiting.tasks + more_tasks > tonumber(max_tasks) then
  return {'TASKS_FULL', 0}
end
if more_bytes > 0 and waiting.bytes + more_bytes > tonumber(max_bytes) then
  return {'BYTES_FULL', 0}
end

-- Re-runs come first: ending a task may trim the payload that one of them needs.
local ids, ring, batches = {}, 0, forced == '' and {} or cmsgpack.unpack(forced)
for i = 1, #changes, 2 do
  local old = changes[i]
  if changes[i + 1] == 'RERUN' then
    local task_id = next_task_id(runs)
    redis.call('COPY', PAYLOAD .. old, PAYLOAD .. task_id)
    local batch, section, entries, chunks, bytes, growth, notify, builds, export = unpack(redis.call('HMGET',
      TASK .. old, 'batch', 'section', 'entries', 'chunks', 'payload_bytes', 'growth', 'notify', 'builds', 'export'))
    append_task(waiting, task_id, now_ms, bytes, entries, growth_again(growth, bytes, entries, least[old]), {'batch', batches[old] or batch, 'section', section, 'chunks', chunks,
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
    remember_again(task_id, old)
    count_minute(ACCEPTED, now_ms, entries)
    ids[(i + 1) / 2] = tonumber(task_id)
    ring = 1
  end
end
for i = 1, #changes, 2 do
  if changes[i + 1] == 'CANCEL' then
    redis.call('HSET', TASK .. changes[i], 'canceled_by', who)
    if redis.call('XRANGE', STREAM, '-', '+', 'COUNT', 1)[1][1] == changes[i] .. '-0' then
      -- The owners that were lost at the head are not the fault of the next.
      redis.call('HDEL', POSITION, 'lost')
    end
    end_task(changes[i], 'QUEUED', 'CANCELED', now_ms, tonumber(kept_cap_bytes))
    ids[(i + 1) / 2] = tonumber(changes[i])
  end
end
if ring == 1 then
  ring = must_ring(rung_ttl_ms)
end
keep_answer(nonce, table.concat(ids, ' '), nonce_ttl_ms, digest, idempotency_ttl_ms)
return {'CHANGED', ring, unpack(ids)}
