#!lua
-- write_guard: set the rules for one kind in one section, or remove them.  The same rules again change nothing, so a
-- repeat is harmless.
--
-- KEYS  GUARDS         hash  place → guard as JSON
-- KEYS  GUARD_CHANGES  list  the last of them, newest first
-- KEYS  POSITION       hash  of the partition: its field guards tells the owner that there are some, and which
-- KEYS  IDEMPOTENCY    string  "<digest> <guard>" of an earlier request with the same Idempotency-Key
-- ARGV  place          kind and section
-- ARGV  rules          JSON; '' removes them
-- ARGV  about          members of the guard as JSON, without braces: kind, section, when and by whom
-- ARGV  stamp          names this state of all guards; no other has the same
-- ARGV  most           how many there may be
-- ARGV  digest         digest of the request, or '' without an Idempotency-Key
-- ARGV  idempotency_ttl_ms  how long the idempotency record is kept
--
-- Returns {WRITTEN | SAME | REPEATED, the guard} | {TOO_MANY | NOT_FOUND | CONFLICT, ''}.

-- How many changes are kept.
local HISTORY = 20

local record = digest ~= '' and redis.call('GET', IDEMPOTENCY)
if record then
  local seen, answer = string.match(record, '^(%S+) (.+)$')
  return seen == digest and {'REPEATED', answer} or {'CONFLICT', ''}
end

local function answer_with(code, guard)
  if digest ~= '' then
    redis.call('SET', IDEMPOTENCY, digest .. ' ' .. guard, 'PX', idempotency_ttl_ms)
  end
  return {code, guard}
end

local before = redis.call('HGET', GUARDS, place)
if rules == '' and not before then
  return {'NOT_FOUND', ''}
end
local tail = ',"rules":' .. rules .. '}'
if rules ~= '' and before and string.sub(before, -#tail) == tail then
  return answer_with('SAME', before)
end
if not before and redis.call('HLEN', GUARDS) >= tonumber(most) then
  return {'TOO_MANY', ''}
end

local last = redis.call('LINDEX', GUARD_CHANGES, 0)
local version = (last and tonumber(string.match(last, '^{"version":(%d+)')) or 0) + 1
local begun = string.format('{"version":%d,', version) .. about
local guard = begun .. tail
if rules == '' then
  redis.call('HDEL', GUARDS, place)
  guard = begun .. ',"rules":null}'
else
  redis.call('HSET', GUARDS, place, guard)
end
redis.call('LPUSH', GUARD_CHANGES, guard)
redis.call('LTRIM', GUARD_CHANGES, 0, HISTORY - 1)
if redis.call('EXISTS', GUARDS) == 1 then
  redis.call('HSET', POSITION, 'guards', stamp)
else
  redis.call('HDEL', POSITION, 'guards')
end
return answer_with('WRITTEN', guard)
