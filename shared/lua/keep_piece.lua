#!lua flags=allow-oom
-- keep_piece: count a file that was written as the next piece of the export at the head; the last one ends its task.
--
-- KEYS      the partition, see _partition.lua, then
-- KEYS[21]  pieces        list  names of the files, in order
-- KEYS[22]  export_files  zset  exports that have files, or may
-- ARGV[1]   token
-- ARGV[2]   task id
-- ARGV[3]   pieces that the caller has seen
-- ARGV[4]   name of the file, no other's
-- ARGV[5]   entries in it
-- ARGV[6]   bytes of it
-- ARGV[7]   where the next piece begins
-- ARGV[8]   when the files go, ms, if this is the last piece; otherwise ''
-- ARGV[9]   now, ms
-- ARGV[10]  lease TTL, ms
-- ARGV[11]  1 if the caller wants more work
-- ARGV[12]  cap of payload bytes kept for audit
--
-- Returns {code, HELD | RELEASED, next window if wanted}, code OK or ALREADY_DONE;
-- or {FENCED | CANCELED | NOT_HEAD | WRONG_CHUNK}.

-- include: _partition
-- include: _window
-- include: _owner
-- include: _kept
-- include: _end

local PIECES, EXPORT_FILES = KEYS[21], KEYS[22]
local token, task_id, seen, name, entries, bytes, cursor, expires_ms, now_ms, lease_ttl_ms, wants_more =
  unpack(ARGV, 1, 11)
local record = TASK .. task_id

if not is_owner(token) then
  return {'FENCED'}
end
if redis.call('LINDEX', PIECES, -1) == name then
  return answer_owner('ALREADY_DONE', lease_ttl_ms, wants_more)
end
local status, problem = head_status(task_id)
if not status then
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
  redis.call('HSET', record, 'expires_ms', expires_ms)
  redis.call('ZADD', EXPORT_FILES, expires_ms, padded(task_id))
  end_task(task_id, status, 'DONE', now_ms, tonumber(ARGV[12]))
end
return answer_owner('OK', lease_ttl_ms, wants_more)
