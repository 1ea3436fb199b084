#!lua flags=no-writes
-- read_links: which variations items have, up to a limit, in one round trip.
--
-- KEYS[1]  links  zset  item → variations
-- ARGV[1]  how many variations at most
-- ARGV[2…] beginnings of the links of each item
--
-- Returns {1 if that is all of them, links…}.

local limit, found = tonumber(ARGV[1]), {1}
for i = 2, #ARGV do
  local room = limit - (#found - 1)
  local links = redis.call('ZRANGE', KEYS[1], '[' .. ARGV[i], '(' .. ARGV[i] .. '\255', 'BYLEX', 'LIMIT', 0, room + 1)
  for j = 1, math.min(#links, room) do
    found[#found + 1] = links[j]
  end
  if #links > room then
    found[1] = 0
    return found
  end
end
return found
