#!lua flags=allow-oom
-- claim_entry: take an entry of the outbox that is due; whoever takes it and is not heard of again gives it back late.
--
-- A repeat after a lost answer takes another one; the first then waits for its claim to run out.
--
-- KEYS     the partition, see _partition.lua
-- ARGV[1]  now, ms
-- ARGV[2]  how long the claim lasts, ms
--
-- Returns the entry that was due first | false.

-- include: _partition

local entry = redis.call('ZRANGE', OUTBOX, '-inf', ARGV[1], 'BYSCORE', 'LIMIT', 0, 1)[1]
if entry then
  redis.call('ZADD', OUTBOX, ARGV[1] + ARGV[2], entry)
end
return entry or false
