#!lua
-- write_member: write a member of a small hash or remove one, once for all requests with one Idempotency-Key.
--
-- KEYS  MEMBERS             hash    name → member
-- KEYS  IDEMPOTENCY         string  "<digest> <answer>" of an earlier request with the same Idempotency-Key
-- ARGV  name                the member's
-- ARGV  member              what is written; '' removes it
-- ARGV  was                 the member as the caller read it, which is replaced; '' for whatever is there
-- ARGV  most                how many there may be
-- ARGV  digest              digest of the request, or '' without an Idempotency-Key
-- ARGV  idempotency_ttl_ms  how long the idempotency record is kept
--
-- Returns {WRITTEN | REPEATED, the member that was written first, or its name if it was removed}
-- | {CONFLICT | CHANGED | TOO_MANY | NOT_FOUND, ''}.  CHANGED: another is there than the caller read.

local record = digest ~= '' and redis.call('GET', IDEMPOTENCY)
if record then
  local seen, answer = string.match(record, '^(%S+) (.+)$')
  return seen == digest and {'REPEATED', answer} or {'CONFLICT', ''}
end
local there = was ~= '' and redis.call('HGET', MEMBERS, name)
if was ~= '' and there ~= was then
  return {there and 'CHANGED' or 'NOT_FOUND', ''}
end
if member == '' then
  if redis.call('HDEL', MEMBERS, name) == 0 then
    return {'NOT_FOUND', ''}
  end
elseif redis.call('HLEN', MEMBERS) >= tonumber(most) and redis.call('HEXISTS', MEMBERS, name) == 0 then
  return {'TOO_MANY', ''}
else
  redis.call('HSET', MEMBERS, name, member)
end
local answer = member == '' and name or member
if digest ~= '' then
  redis.call('SET', IDEMPOTENCY, digest .. ' ' .. answer, 'PX', idempotency_ttl_ms)
end
return {'WRITTEN', answer}
