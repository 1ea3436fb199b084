-- Which tasks have ended for good, in order, for the change feed.  Needs _partition.lua and _ranks.lua.
--
-- Only the head can end as DONE or FAILED, so whatever has not ended is followed by nothing with effects.

-- The last task of which the change feed can no longer tell.
local function read_untold()
  return tonumber(redis.call('HGET', WAITING, 'untold')) or 0
end

-- Returns the last task that has ended, and how many tasks there are up to it.
local function last_ended(untold)
  local head = redis.call('XRANGE', STREAM, '-', '+', 'COUNT', 1)[1]
  local before_head = head and tonumber(string.match(head[1], '^%d+')) - 1
  local ended = head and rank_after(TASKS, before_head) or redis.call('ZCARD', TASKS)
  local latest = ended > 0 and math.max(untold, id_at(TASKS, ended - 1)) or untold
  return head and math.min(latest, before_head) or latest, ended
end

-- Ids that were given out, by a run that this store knows: what a lost run told of was passed over here.
local function is_of_here(task_id)
  for last, first in string.gmatch(redis.call('HGET', WAITING, 'gaps') or '', '(%d+)%-(%d+)') do
    if task_id > tonumber(last) and task_id < tonumber(first) then
      return false
    end
  end
  return task_id <= (tonumber(redis.call('GET', SEQ)) or 0)
end
