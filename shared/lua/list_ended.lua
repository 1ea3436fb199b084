#!lua flags=no-writes
-- list_ended: list the tasks that ended after a given one, in order, for the change feed.
-- Its step in tests/model/runs.pml: list_ended.
--
-- KEYS  the partition (_partition.lua)
-- ARGV  after   task id
-- ARGV  inside  1: that task itself has still to be read
-- ARGV  limit   how many at most
--
-- Returns {1 if the change feed reaches back to that task, the last task that has ended, run of the server, task ids…}.

-- include: _partition
-- include: _info
-- include: _server_run
-- include: _ranks
-- include: _ended

after, inside, limit = tonumber(after), tonumber(inside), tonumber(limit)
local untold = read_untold()
local latest, ended = last_ended(untold)

local known = is_of_here(after)
after = after - inside
local reaches = known and after >= untold
local answer = {reaches and 1 or 0, latest, server_run()}
if reaches then
  local first = rank_after(TASKS, after)
  local last = math.min(first + limit, ended)
  if first < last then
    for _, member in ipairs(redis.call('ZRANGE', TASKS, first, last - 1)) do
      answer[#answer + 1] = tonumber(member)
    end
  end
end
return answer
