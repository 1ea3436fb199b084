#!lua flags=allow-oom
-- extend_lease: hold on to a partition for another while.
--
-- KEYS     the partition, see _partition.lua
-- ARGV[1]  token
-- ARGV[2]  lease TTL, ms
--
-- Returns OK | FENCED.

-- include: _partition

if redis.call('HGET', LEASE, 'token') ~= ARGV[1] then
  return 'FENCED'
end
redis.call('PEXPIRE', LEASE, ARGV[2])
return 'OK'
