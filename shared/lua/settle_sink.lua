#!lua flags=allow-oom
-- settle_sink: record how far a sink is, and give it back if that was all; only its owner may.
--
-- KEYS  SINKS    hash  name → JSON
-- KEYS  LEASE    hash  {token, holder}
-- KEYS  STATE    hash  how far it is
-- KEYS  DEAD     hash  <kind>:<id> → JSON
-- KEYS  LEFT     hash  the same of the copy that was worked on until now
-- KEYS  TAKEN    hash  the same of this copy, from earlier
-- ARGV  name     of the sink
-- ARGV  token    the owner's
-- ARGV  release  1 to give it back
-- ARGV  change   BEGUN: this copy is begun, DEAD is emptied first; BACK: it was there before, and has what it had; or ''
-- ARGV  before   version of the copy that was worked on until now
-- ARGV  left_ttl_ms  for how long LEFT is kept
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
-- A repeat finds that the other copy is left already.
if change ~= '' and (LEFT == TAKEN or (redis.call('HGET', STATE, 'version') or '') == before) then
  if LEFT ~= TAKEN and redis.call('EXISTS', DEAD) == 1 then
    redis.call('RENAME', DEAD, LEFT)
    redis.call('PEXPIRE', LEFT, left_ttl_ms)
  end
  redis.call('DEL', DEAD)
  if change == 'BACK' and redis.call('EXISTS', TAKEN) == 1 then
    redis.call('RENAME', TAKEN, DEAD)
    redis.call('PERSIST', DEAD)
  end
  redis.call('DEL', TAKEN)
end
if #facts > 0 then
  redis.call('HSET', STATE, unpack(facts))
  redis.call('HINCRBY', STATE, 'entries', delivered)
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
