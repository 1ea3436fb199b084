#!lua flags=allow-oom
-- yield_lease: give a partition back with work waiting in it, marked as notified.
-- Its step in tests/model/protocol.pml: yield_lease.
--
-- KEYS  the partition (_partition.lua)
-- ARGV  token        the owner's fencing token
-- ARGV  rung_ttl_ms  how long a wake-up counts as under way
-- ARGV  pause_ms     how long nobody may take it over, ms, because the owner ran into trouble, which counts as a stall; or 0
--
-- Returns OK | FENCED.

-- include: _partition
-- include: _lease

if not is_held(LEASE, token) then
  return 'FENCED'
end
if pause_ms == '0' then
  redis.call('DEL', LEASE)
  redis.call('HDEL', POSITION, 'held')
else
  -- Nobody's token: the next attempt comes when this lease ends.
  redis.call('HSET', LEASE, 'token', '', 'holder', 'pause')
  redis.call('PEXPIRE', LEASE, pause_ms)
end
redis.call('SET', RUNG, 1, 'PX', rung_ttl_ms)
return 'OK'
