#!lua flags=allow-oom
-- yield_lease: give a partition back although work waits in it, marked as if rung for.
-- Its step in tests/model/protocol.pml: yield_lease.
--
-- KEYS     the partition, see _partition.lua
-- ARGV[1]  token
-- ARGV[2]  how long a ring counts as under way, ms
-- ARGV[3]  how long nobody may take it over, ms, because the owner ran into trouble, which counts as a stall; or 0
--
-- Returns OK | FENCED.

-- include: _partition

if redis.call('HGET', LEASE, 'token') ~= ARGV[1] then
  return 'FENCED'
end
if ARGV[3] == '0' then
  redis.call('DEL', LEASE)
  redis.call('HDEL', POSITION, 'held')
else
  -- Nobody's token: the next attempt comes when this lease ends.
  redis.call('HSET', LEASE, 'token', '', 'holder', 'pause')
  redis.call('PEXPIRE', LEASE, ARGV[3])
end
redis.call('SET', RUNG, 1, 'PX', ARGV[2])
return 'OK'
