-- What is kept of ended tasks, and let go of.  Needs _partition.lua.

-- From now on the change feed cannot tell what this task changed, nor what those before it did.
local function mark_untold(task_id)
  local untold = tonumber(redis.call('HGET', WAITING, 'untold')) or 0
  if tonumber(task_id) > untold then
    redis.call('HSET', WAITING, 'untold', task_id)
  end
end

-- Keep what a commit changes that is no entry of its batch: counted and deleted with the payload.  '' if nothing, '-' if it
-- cannot be kept.
local function keep_also_changed(task_id, also_changed)
  if also_changed == '-' then
    mark_untold(task_id)
  elseif also_changed ~= '' then
    redis.call('RPUSH', ALSO_CHANGED .. task_id, also_changed)
    redis.call('HINCRBY', TASK .. task_id, 'payload_bytes', #also_changed)
    redis.call('HINCRBY', WAITING, 'bytes', #also_changed)
  end
end

-- Let go of the payload of an ended task, by its padded id; returns its bytes.
local function drop_payload(member)
  local task_id = string.format('%d', member)
  local status, bytes = unpack(redis.call('HMGET', TASK .. task_id, 'status', 'payload_bytes'))
  bytes = tonumber(bytes) or 0
  redis.call('UNLINK', PAYLOAD .. task_id, ALSO_CHANGED .. task_id)
  redis.call('ZREM', PAYLOADS, member)
  redis.call('HINCRBY', WAITING, 'kept_bytes', 0 - bytes)
  -- What was canceled changed nothing, and may have ended long before tasks with lower ids.
  if status ~= 'CANCELED' then
    mark_untold(task_id)
  end
  return bytes
end
