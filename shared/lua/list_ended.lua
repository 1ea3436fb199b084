#!lua flags=no-writes
-- list_ended: which tasks ended after a given one, in order, for the change feed.
--
-- Only the head can end as DONE or FAILED, so whatever has not ended is followed by nothing with effects.
--
-- KEYS     the partition, see _partition.lua
-- ARGV[1]  task id
-- ARGV[2]  how many at most
--
-- Returns {1 if the change feed reaches back to that task, the last task that has ended, task ids…}.

-- include: _partition

local after, limit = tonumber(ARGV[1]), tonumber(ARGV[2])

local function id_at(rank)
  return tonumber(redis.call('ZRANGE', TASKS, rank, rank)[1])
end

-- The first rank from which on ids are above a bound: ids and submission times grow together.
local function rank_after(bound)
  local low, high = 0, redis.call('ZCARD', TASKS)
  while low < high do
    local middle = math.floor((low + high) / 2)
    if id_at(middle) > bound then
      high = middle
    else
      low = middle + 1
    end
  end
  return low
end

local untold = tonumber(redis.call('HGET', WAITING, 'untold')) or 0
local head = redis.call('XRANGE', STREAM, '-', '+', 'COUNT', 1)[1]
local ended, latest = redis.call('ZCARD', TASKS), untold
local before_head = head and tonumber(string.match(head[1], '^%d+')) - 1
if head then
  ended = rank_after(before_head)
end
if ended > 0 then
  latest = math.max(latest, id_at(ended - 1))
end
if head then
  latest = math.min(latest, before_head)
end

local first = rank_after(after)
-- A task that is not there, and was not let go of, was never told of: the store is not the one it was.
local reaches = after == untold or after > untold and first > 0 and id_at(first - 1) == after
local answer = {reaches and 1 or 0, latest}
if reaches then
  local last = math.min(first + limit, ended)
  if first < last then
    for _, member in ipairs(redis.call('ZRANGE', TASKS, first, last - 1)) do
      answer[#answer + 1] = tonumber(member)
    end
  end
end
return answer
