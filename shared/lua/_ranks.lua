-- Ranks of task ids in the indexes of tasks, where ids and submission times grow together.  Needs _partition.lua.

local function id_at(index, rank)
  return tonumber(redis.call('ZRANGE', index, rank, rank)[1])
end

-- The first rank from which on ids are above a bound, which is how many are not.
local function rank_after(index, bound)
  -- Nearly always one of these is there.
  local next_rank = redis.call('ZRANK', index, padded(bound + 1))
  local rank = not next_rank and redis.call('ZRANK', index, padded(bound))
  if next_rank or rank then
    return next_rank or rank + 1
  end
  local low, high = 0, redis.call('ZCARD', index)
  while low < high do
    local middle = math.floor((low + high) / 2)
    if id_at(index, middle) > bound then
      high = middle
    else
      low = middle + 1
    end
  end
  return low
end
