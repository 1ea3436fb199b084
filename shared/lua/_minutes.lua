-- How many entries were accepted and applied in each minute.  MINUTES has to be there: the numbers of the present hour.

local ACCEPTED, APPLIED = 0, 60
-- The hour itself, and the one after it, in which it is still asked for.
local MINUTES_TTL_S = 7200

local function count_minute(first, now_ms, entries)
  local minute = math.floor(tonumber(now_ms) / 60000) % 60
  local counted = redis.call('BITFIELD', MINUTES, 'OVERFLOW', 'SAT', 'INCRBY', 'u32', '#' .. (first + minute), entries)
  -- Once in each minute is often enough.
  if counted[1] == tonumber(entries) then
    redis.call('EXPIRE', MINUTES, MINUTES_TTL_S)
  end
end
