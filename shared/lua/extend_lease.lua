#!lua flags=allow-oom
-- extend_lease: extend the lease of a partition.
--
-- KEYS  the partition (_partition.lua)
-- ARGV  token         the owner's fencing token
-- ARGV  lease_ttl_ms
--
-- Returns OK | FENCED.

-- include: _partition
-- include: _lease

if not is_held(LEASE, token) then
  return 'FENCED'
end
redis.call('PEXPIRE', LEASE, lease_ttl_ms)
return 'OK'
