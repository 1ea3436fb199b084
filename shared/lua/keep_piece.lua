#!lua flags=allow-oom
-- keep_piece: count a file that was written as the next piece of the export at the head; the last one ends its task.
--
-- KEYS  the partition (_partition.lua), then
-- KEYS  PIECES          list    names of the files, in order
-- KEYS  EXPORT_FILES    zset    exports that have files, or may
-- KEYS  RESERVED        string  memory that waiting tasks will take, over all catalogs
-- ARGV  token           the owner's fencing token
-- ARGV  task_id         the head
-- ARGV  seen            pieces that the caller has seen
-- ARGV  name            name of the file, no other's
-- ARGV  entries         how many there are
-- ARGV  bytes           bytes of it
-- ARGV  cursor          where the next piece begins
-- ARGV  sha256          of all pieces as one file, hex, if this is the last; otherwise ''
-- ARGV  expires_ms      when the files expire, if this is the last piece; otherwise ''
-- ARGV  now_ms
-- ARGV  lease_ttl_ms
-- ARGV  wants_more      1 if the caller wants more work
-- ARGV  kept_cap_bytes  cap of the payload bytes kept for audit
--
-- Returns {code, HELD | RELEASED, next window if wanted}, code OK or ALREADY_DONE;
-- or {FENCED | CANCELED | NOT_HEAD | WRONG_CHUNK}.

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
if redis.call('LINDEX', PIECES, -1) == name then
  return answer_owner('ALREADY_DONE', lease_ttl_ms, wants_more)
end
local status = redis.call('HGET', record, 'status')
local problem = head_problem(task_id, status)
if problem then
  return {problem}
end
if redis.call('LLEN', PIECES) ~= tonumber(seen) then
  return {'WRONG_CHUNK'}
end

redis.call('RPUSH', PIECES, name)
redis.call('HINCRBY', record, 'exported', entries)
redis.call('HINCRBY', record, 'exported_bytes', bytes)
redis.call('HSET', record, 'cursor', cursor, 'updated_ms', now_ms)
redis.call('HDEL', POSITION, 'lost')
if expires_ms ~= '' then
  redis.call('HSET', record, 'expires_ms', expires_ms, 'sha256', sha256)
  redis.call('ZADD', EXPORT_FILES, expires_ms, padded(task_id))
  end_task(task_id, status, 'DONE', now_ms, tonumber(kept_cap_bytes))
end
return answer_owner('OK', lease_ttl_ms, wants_more)
