-- Go through several indexes of tasks as if they were one list, newest first.  Needs _partition.lua and _ranks.lua;
-- sources, the indexes; left_out, ids that are not to be in the list; left_out_above, how many of them are above a bound;
-- offset and size, how many tasks to pass over and to take.

-- Of each source, the first rank that is too old and the one behind the newest.
local oldest, newest = {}, {}

local function begin_at(bound)
  for i, index in ipairs(sources) do
    newest[i] = math.min(newest[i], rank_after(index, bound))
  end
end

-- How many tasks of the list have ids above a bound.
local function count_above(bound)
  local above = -left_out_above(bound)
  for i, index in ipairs(sources) do
    above = above + math.max(0, newest[i] - math.max(oldest[i], rank_after(index, bound)))
  end
  return above
end

-- Pass over the first tasks: find the id that has so many above it.
local function pass_over()
  if #sources == 1 and next(left_out) == nil then
    newest[1] = newest[1] - offset
    return
  end
  local low, high = 0, 4294967295
  while low < high do
    local middle = math.floor((low + high) / 2)
    if count_above(middle) <= offset then
      high = middle
    else
      low = middle + 1
    end
  end
  begin_at(low)
end

-- Take the newest of all sources, one by one.
local function take()
  local ids, ahead = {}, {}
  local function newest_of(i)
    local line = ahead[i]
    if (not line or line.at > #line) and newest[i] > oldest[i] then
      local first = math.max(oldest[i], newest[i] - size)
      line = redis.call('ZRANGE', sources[i], first, newest[i] - 1)
      newest[i], line.at = first, 1
      ahead[i] = line
    end
    return line and tonumber(line[#line + 1 - line.at])
  end
  while #ids < size do
    local best, from_source
    for i = 1, #sources do
      local task_id = newest_of(i)
      if task_id and (not best or task_id > best) then
        best, from_source = task_id, i
      end
    end
    if not best then
      return ids
    end
    ahead[from_source].at = ahead[from_source].at + 1
    if not left_out[best] then
      ids[#ids + 1] = best
    end
  end
  return ids
end
