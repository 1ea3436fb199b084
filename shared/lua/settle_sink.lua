#!lua flags=allow-oom
-- settle_sink: record how far a sink is, and give it back if that was all; only its owner may.
--
-- KEYS  SINKS    hash  name → JSON
-- KEYS  LEASE    hash  {token, holder}
-- KEYS  STATE    hash  how far it is
-- KEYS  DEAD     hash  <kind>:<id> → JSON
-- ARGV  name     of the sink
-- ARGV  token    the owner's
-- ARGV  release  1 to give it back
-- ARGV  anew     1 if all is copied anew: DEAD is emptied first
-- ARGV  most     how many dead letters are kept
-- ARGV  delivered  how many entries were delivered, to be counted
-- ARGV  cleared  msgpack: fields of DEAD that are none any more
-- ARGV  letters  msgpack: field and JSON of dead letters, in turn
-- ARGV  facts…   fields of STATE, name and value in turn
--
-- Returns the number of dead letters, or -1 if another is the owner now or the sink is gone.

-- include: _lease

if not is_held(LEASE, token) or redis.call('HEXISTS', SINKS, name) == 0 then
  return -1
end
if #facts > 0 then
  redis.call('HSET', STATE, unpack(facts))
  redis.call('HINCRBY', STATE, 'entries', delivered)
end
if anew == '1' then
  redis.call('DEL', DEAD)
end
for _, field in ipairs(cmsgpack.unpack(cleared)) do
  redis.call('HDEL', DEAD, field)
end
local added = cmsgpack.unpack(letters)
for i = 1, #added, 2 do
  if redis.call('HLEN', DEAD) < tonumber(most) or redis.call('HEXISTS', DEAD, added[i]) == 1 then
    redis.call('HSET', DEAD, added[i], added[i + 1])
  end
end
if release == '1' then
  redis.call('DEL', LEASE)
end
return redis.call('HLEN', DEAD)
