#!lua flags=allow-oom
-- fail_task: end the head as FAILED, nothing of it applied.
--
-- KEYS      the partition, see _partition.lua, then
-- KEYS[21…] the generation that it was building, to be let go of
-- ARGV[1]  token
-- ARGV[2]  task id
-- ARGV[3]  base: the commit whose effects the caller has read, '' if none
-- ARGV[4]  now, ms
-- ARGV[5]  lease TTL, ms
-- ARGV[6]  1 if the caller wants more work
-- ARGV[7]  error message
-- ARGV[8]  cap of payload bytes kept for audit
-- ARGV[9]  report: which entries are to blame, '' if that is not known
--
-- Returns {code, HELD | RELEASED, next window if wanted}, code OK or ALREADY_DONE;
-- or {FENCED | CANCELED | NOT_HEAD | STALE | APPLIED}, APPLIED if effects of it are there already.

-- include: _partition
-- include: _window
-- include: _owner
-- include: _kept
-- include: _end

local token, task_id, base, now_ms, lease_ttl_ms, wants_more, message = unpack(ARGV, 1, 7)
local record = TASK .. task_id

if not is_owner(token) then
  return {'FENCED'}
end
local status, problem = head_status(task_id)
if problem == 'NOT_HEAD' and redis.call('HGET', record, 'status') == 'FAILED' then
  return answer_owner('ALREADY_DONE', lease_ttl_ms, wants_more)
end
if not status then
  return {problem}
end
if (redis.call('HGET', POSITION, 'applied') or '') ~= base then
  return {'STALE'}
end
local done = redis.call('HMGET', record, 'chunks_done', 'page')
local begun = (tonumber(done[1]) or 0) > 0 or (tonumber(done[2]) or 0) > 0
if begun and #KEYS == 20 then
  return {'APPLIED'}
end

redis.call('HDEL', POSITION, 'lost')
if status == 'LOST' then
  -- The record is gone: what is left of the task is its place in the stream, and perhaps its payload.
  local head = redis.call('XRANGE', STREAM, '-', '+', 'COUNT', 1)[1]
  redis.call('HINCRBY', WAITING, 'tasks', -1)
  redis.call('HINCRBY', WAITING, 'bytes', -head[2][2])
  redis.call('HINCRBY', WAITING, 'entries', -head[2][4])
  redis.call('UNLINK', PAYLOAD .. task_id)
  redis.call('XDEL', STREAM, task_id .. '-0')
  redis.call('ZREM', TASKS, padded(task_id))
  redis.call('ZREM', BY_STATUS .. 'QUEUED', padded(task_id))
  redis.call('ZREM', BY_STATUS .. 'IN_PROGRESS', padded(task_id))
else
  if begun then
    -- Nobody has seen anything of it, and nobody will.
    redis.call('UNLINK', REPORT .. task_id, ALSO_CHANGED .. task_id, unpack(KEYS, 21))
    redis.call('HSET', record, 'entries_done', 0)
  end
  redis.call('HSETNX', record, 'started_ms', now_ms)
  redis.call('HSET', record, 'error', message)
  if ARGV[9] ~= '' then
    redis.call('SET', REPORT .. task_id, ARGV[9])
  end
  end_task(task_id, status, 'FAILED', now_ms, tonumber(ARGV[8]))
end
return answer_owner('OK', lease_ttl_ms, wants_more)
