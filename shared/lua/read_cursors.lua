#!lua flags=no-writes
-- read_cursors: the cursors of the change feed, and how far behind each of them is, as of one moment.
--
-- KEYS  the partition (_partition.lua), then
-- KEYS  CURSORS  hash  name → JSON {task_id, mark, pieces, updated_ms}
-- ARGV  most     tasks whose entries are counted for each cursor, at most
--
-- Returns {the last task that has ended, run of the server, {name, JSON, OK | BEHIND | LOST, tasks that ended since, tasks counted,
-- their entries, end of the first of them in ms or ''} for each}.  BEHIND: the feed does not reach back to it; LOST: its task is none
-- of this store's.

-- include: _partition
-- include: _info
-- include: _server_run
-- include: _ranks
-- include: _ended

local untold = read_untold()
local latest, ended = last_ended(untold)

local function state_of(after, inside)
  if not is_of_here(after) then
    return 'LOST'
  end
  return after - inside >= untold and 'OK' or 'BEHIND'
end

local function lag_from(first)
  local tasks = math.max(0, ended - first)
  local entries, since, counted = 0, '', math.min(tasks, tonumber(most))
  for i, member in ipairs(counted > 0 and redis.call('ZRANGE', TASKS, first, first + counted - 1) or {}) do
    entries = entries + (tonumber(redis.call('HGET', TASK .. string.format('%d', member), 'entries')) or 0)
    since = i == 1 and redis.call('ZSCORE', ENDED, member) or since
  end
  return tasks, counted, entries, since
end

local answer = {latest, server_run()}
local all = redis.call('HGETALL', CURSORS)
for i = 1, #all, 2 do
  local cursor = cjson.decode(all[i + 1])
  local inside = cursor.pieces > 0 and 1 or 0
  local state = state_of(cursor.task_id, inside)
  answer[#answer + 1] = {all[i], all[i + 1], state, lag_from(rank_after(TASKS, cursor.task_id - inside))}
end
return answer
