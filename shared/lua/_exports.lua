-- The exports of a catalog.  Needs _partition.lua; EXPORTS and EXPORT_FILES, the zsets, have to be there.

-- The export that has not ended, or false: it can only be the newest.
local function waiting_export()
  local newest = redis.call('ZRANGE', EXPORTS, -1, -1)[1]
  if not newest then
    return false
  end
  local task_id = string.format('%d', newest)
  local status = redis.call('HGET', TASK .. task_id, 'status')
  return (status == 'QUEUED' or status == 'IN_PROGRESS') and task_id
end

-- Note that an appended task is an export.  If it comes to nothing, whatever it has written goes with its end.
local function note_export(task_id)
  redis.call('HSET', TASK .. task_id, 'export', 1)
  redis.call('ZADD', EXPORTS, redis.call('HGET', TASK .. task_id, 'submitted_ms'), padded(task_id))
  redis.call('ZADD', EXPORT_FILES, 0, padded(task_id))
end
