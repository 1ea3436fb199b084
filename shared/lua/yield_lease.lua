#!lua flags=allow-oom
-- yield_lease: give a partition back although work waits in it, marked as if rung for.
--
-- KEYS     the partition, see _partition.lua
-- ARGV[1]  token
-- ARGV[2]  how long a ring counts as under way, ms
-- ARGV[3]  1 if the owner ran into trouble, which counts as a stall
--
-- Returns OK | FENCED.

-- include: _partition

if redis.call('HGET', LEASE, 'token') ~= ARGV[1] then
  return 'FENCED'
end
redis.call('DEL', LEASE)
if ARGV[3] ~= '1' then
  redis.call('HDEL', POSITION, 'held')
end
redis.call('SET', RUNG, 1, 'PX', ARGV[2])
return 'OK'
