#!lua flags=no-writes
-- read_links: read the variations of items, up to a limit, in one round trip.
--
-- KEYS  LINKS      zset  item → variations
-- ARGV  limit      how many variations at most
-- ARGV  prefixes…  beginnings of the links of each item
--
-- Returns {1 if that is all of them, links…}.

local found = {1}
for _, prefix in ipairs(prefixes) do
  local room = limit - (#found - 1)
  local links = redis.call('ZRANGE', LINKS, '[' .. prefix, '(' .. prefix .. '\255', 'BYLEX', 'LIMIT', 0, room + 1)
  for j = 1, math.min(#links, room) do
    found[#found + 1] = links[j]
  end
  if #links > room then
    found[1] = 0
    return found
  end
end
return found
