#!lua flags=allow-oom
-- fail_task: end the head as FAILED, nothing of it applied.
--
-- KEYS  the partition (_partition.lua), then
-- KEYS  RESERVED         string  memory that waiting tasks will take, over all catalogs
-- KEYS  BUILT…           keys of the generation that it was building, to be deleted
-- ARGV  token            the owner's fencing token
-- ARGV  task_id          the head
-- ARGV  base             the commit whose effects the caller has read, '' if none
-- ARGV  now_ms
-- ARGV  lease_ttl_ms
-- ARGV  wants_more       1 if the caller wants more work
-- ARGV  message          error message
-- ARGV  kept_cap_bytes   cap of the payload bytes kept for audit
-- ARGV  report           report: which entries are to blame, '' if that is not known
-- ARGV  planned          what the task would change, as JSON; '' if that was not worked out
-- ARGV  told…            fields of the task record that tell what was changed
--
-- Returns {code, HELD | RELEASED, next window if wanted}, code OK or ALREADY_DONE;
-- or {FENCED | CANCELED | NOT_HEAD | STALE | APPLIED}, APPLIED if effects of it are there already.

-- include: _partition
-- include: _window
-- include: _owner
-- include: _kept
-- include: _info
-- include: _reserved
-- include: _end

local record = TASK .. task_id

if not is_owner(token) then
  return {'FENCED'}
end
local status = redis.call('HGET', record, 'status')
local problem = head_problem(task_id, status)
if problem == 'NOT_HEAD' and status == 'FAILED' then
  return answer_owner('ALREADY_DONE', lease_ttl_ms, wants_more)
end
if problem then
  return {problem}
end
if (redis.call('HGET', POSITION, 'applied') or '') ~= base then
  return {'STALE'}
end
local done = redis.call('HMGET', record, 'chunks_done', 'page')
local begun = (tonumber(done[1]) or 0) > 0 or (tonumber(done[2]) or 0) > 0
if begun and #BUILT == 0 then
  return {'APPLIED'}
end

redis.call('HDEL', POSITION, 'lost')
if not status then
  -- The record is gone: what is left of the task is its place in the stream, and perhaps its payload.
  local head = redis.call('XRANGE', STREAM, '-', '+', 'COUNT', 1)[1]
  redis.call('HINCRBY', WAITING, 'tasks', -1)
  redis.call('HINCRBY', WAITING, 'bytes', 0 - head[2][2])
  redis.call('HINCRBY', WAITING, 'entries', 0 - head[2][4])
  release(tonumber(head[2][6]) or 0)
  redis.call('UNLINK', PAYLOAD .. task_id)
  redis.call('XDEL', STREAM, task_id .. '-0')
  redis.call('ZREM', TASKS, padded(task_id))
  redis.call('ZREM', BY_STATUS .. 'QUEUED', padded(task_id))
  redis.call('ZREM', BY_STATUS .. 'IN_PROGRESS', padded(task_id))
else
  if begun then
    -- Nobody has seen anything of it, and nobody will.
    redis.call('UNLINK', REPORT .. task_id, ALSO_CHANGED .. task_id, unpack(BUILT))
    redis.call('HSET', record, 'entries_done', 0)
    redis.call('HDEL', record, unpack(told))
  end
  redis.call('HSETNX', record, 'started_ms', now_ms)
  redis.call('HSET', record, 'error', message)
  if planned ~= '' then
    redis.call('HSET', record, 'planned', planned)
  end
  if report ~= '' then
    redis.call('SET', REPORT .. task_id, report)
  end
  end_task(task_id, status, 'FAILED', now_ms, tonumber(kept_cap_bytes))
end
return answer_owner('OK', lease_ttl_ms, wants_more)
