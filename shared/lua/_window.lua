-- What comes next in a partition.  Needs _partition.lua.

-- A window is what one round trip hands to the owner: enough that small batches share it, and little enough that it
-- is applied well within a slice.
local WINDOW_TASKS = 64
local WINDOW_ENTRIES = 4000
local WINDOW_BYTES = 524288

-- Read the work at the head: a list of {task id, batch, its section's generation, that of the item groups, begun,
-- first chunk, page, {frames}, name of the present state of all guards, '' without any}.
-- `batch` is false if the record is gone; fewer frames than the batch has chunks may also mean that the window is full.
-- A careful window is one chunk.
local function gather(waiting, careful, guards)
  local window, entries, bytes = {}, 0, 0
  local groups = redis.call('HGET', SECTIONS, '') or '0'
  for _, entry in ipairs(waiting) do
    local task_id = string.match(entry[1], '^%d+')
    local batch, section, status, chunks, done, page, count = unpack(redis.call('HMGET', TASK .. task_id, 'batch',
      'section', 'status', 'chunks', 'chunks_done', 'page', 'entries'))
    local frames = {}
    window[#window + 1] = {task_id, batch, (section and redis.call('HGET', SECTIONS, section)) or '0',
      groups, status == 'IN_PROGRESS' and 1 or 0, done or '0', page or '0', frames, guards}
    if batch then
      for chunk = tonumber(done), tonumber(chunks) - 1 do
        local frame = redis.call('LINDEX', PAYLOAD .. task_id, chunk)
        if not frame then
          break
        end
        frames[#frames + 1] = frame
        entries = entries + tonumber(count) / tonumber(chunks)
        bytes = bytes + #frame
        if careful or entries >= WINDOW_ENTRIES or bytes >= WINDOW_BYTES then
          return window
        end
      end
    end
    if careful then
      return window
    end
  end
  return window
end

-- Up to where an owner was lost windows are careful, so that the batch which kills its workers can be told from those
-- that only shared its window.
local function read_window()
  local careful, guards = unpack(redis.call('HMGET', POSITION, 'careful', 'guards'))
  careful = tonumber(careful or '')
  local waiting = redis.call('XRANGE', STREAM, '-', '+', 'COUNT', WINDOW_TASKS)
  if careful and #waiting > 0 and tonumber(string.match(waiting[1][1], '^%d+')) > careful then
    redis.call('HDEL', POSITION, 'careful')
    careful = nil
  end
  local window = gather(waiting, careful, guards or '')
  if #window > 0 then
    redis.call('HSET', POSITION, 'reach', window[#window][1])
  end
  return window
end
