#!lua flags=allow-oom
-- claim_entry: claim an entry of the outbox that is due; unless it is settled, it is due again later.
--
-- A repeat after a lost answer takes another one; the first then waits for its claim to run out.
--
-- KEYS  QUEUE     zset  what waits, for one target or for nobody known yet; score = due, ms
-- KEYS  TARGETS   zset  targets with something waiting; score = not before, ms
-- ARGV  target    whose queue it is; empty: nobody's yet
-- ARGV  now_ms
-- ARGV  claim_ms  how long the claim lasts
--
-- Returns the entry that was due first | false, also while the target is left in peace.

if target ~= '' and tonumber(redis.call('ZSCORE', TARGETS, target) or 0) > tonumber(now_ms) then
  return false
end
local entry = redis.call('ZRANGE', QUEUE, '-inf', now_ms, 'BYSCORE', 'LIMIT', 0, 1)[1]
if entry then
  redis.call('ZADD', QUEUE, now_ms + claim_ms, entry)
elseif target ~= '' and redis.call('EXISTS', QUEUE) == 0 then
  redis.call('ZREM', TARGETS, target)
end
return entry or false
