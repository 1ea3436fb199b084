#!lua
-- queue_entries: have a target told of tasks, or pinged, now; once for all requests with one Idempotency-Key.
--
-- KEYS  QUEUE               zset    what waits for the target; score = due, ms
-- KEYS  TARGETS             zset    targets with something waiting; score = not before, ms
-- KEYS  TROUBLES            hash    target → its failures
-- KEYS  IDEMPOTENCY         string  "<digest> <answer>" of an earlier request with the same Idempotency-Key
-- ARGV  target
-- ARGV  now_ms
-- ARGV  due_ms              when the entries are due
-- ARGV  forgives            1: what failed so far is forgotten
-- ARGV  answer              what a repeat is answered
-- ARGV  digest              digest of the request, or '' without an Idempotency-Key
-- ARGV  idempotency_ttl_ms  how long the idempotency record is kept
-- ARGV  entries…            entries of the outbox
--
-- Returns {WRITTEN | REPEATED, the first answer} | {CONFLICT, ''}.

local record = digest ~= '' and redis.call('GET', IDEMPOTENCY)
if record then
  local seen, first = string.match(record, '^(%S+) (.+)$')
  return seen == digest and {'REPEATED', first} or {'CONFLICT', ''}
end
for _, entry in ipairs(entries) do
  redis.call('ZADD', QUEUE, due_ms, entry)
end
if #entries > 0 then
  redis.call('ZADD', TARGETS, now_ms, target)
end
if forgives == '1' then
  redis.call('HDEL', TROUBLES, target)
end
if digest ~= '' then
  redis.call('SET', IDEMPOTENCY, digest .. ' ' .. answer, 'PX', idempotency_ttl_ms)
end
return {'WRITTEN', answer}
