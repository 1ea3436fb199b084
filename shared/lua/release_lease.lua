#!lua flags=allow-oom
-- release_lease: give a partition back, but only if nothing waits in it.
-- Its step in tests/model/protocol.pml: release_lease.
--
-- KEYS  the partition (_partition.lua)
-- ARGV  token  the owner's fencing token
--
-- Returns RELEASED | NOT_EMPTY (keep draining) | FENCED (it is somebody else's now).

-- include: _partition
-- include: _lease

if not is_held(LEASE, token) then
  return 'FENCED'
end
if redis.call('XLEN', STREAM) > 0 then
  return 'NOT_EMPTY'
end
redis.call('DEL', LEASE)
redis.call('HDEL', POSITION, 'held', 'lost')
return 'RELEASED'
