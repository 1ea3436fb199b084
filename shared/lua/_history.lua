-- Which tasks touched an entry.  Needs _partition.lua; HISTORY, the list, has to be there.

-- How many old lines one new one lets go of: more than one, so that their bytes always shrink to the cap.
local TRIM_LINES = 4
-- What a line costs beside its text, about.
local LINE_BYTES = 16
-- In place of a re-run task: entries that the batch does not name, touched all the same.
local ALSO = 4294967295

-- Append a line: the task, the task that it re-runs, ALSO or 0, the index of its first entry in the batch, and a digest
-- of 4 bytes for each entry.
local function remember(task_id, retry_of, first, digests, cap_bytes)
  if cap_bytes == 0 or (digests == '' and redis.call('EXISTS', HISTORY) == 0) then
    return
  end
  redis.call('RPUSH', HISTORY, struct.pack('>I4I4I4', task_id, retry_of, first) .. digests)
  local kept = redis.call('HINCRBY', WAITING, 'history_bytes', 12 + #digests + LINE_BYTES)
  for _ = 1, TRIM_LINES do
    if kept <= cap_bytes then
      return
    end
    kept = redis.call('HINCRBY', WAITING, 'history_bytes', -#redis.call('LPOP', HISTORY) - LINE_BYTES)
  end
end

-- Let go of old lines whose task is gone.
local function forget_lines(limit)
  for _ = 1, limit do
    local line = redis.call('LINDEX', HISTORY, 0)
    if not line or redis.call('EXISTS', TASK .. string.format('%d', struct.unpack('>I4', line))) == 1 then
      return
    end
    redis.call('LPOP', HISTORY)
    redis.call('HINCRBY', WAITING, 'history_bytes', -#line - LINE_BYTES)
  end
end
