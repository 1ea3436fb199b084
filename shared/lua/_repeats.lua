-- A call that comes again gets the answer of the first.  Needs _partition.lua and, for a digest, the key IDEMPOTENCY.

-- The nonce of a repeat is followed by the time until which it counts: after it, what came first may be forgotten.
local first_nonce, counts_until_ms = string.match(nonce, '^(.+)%+(%d+)$')
nonce = first_nonce or nonce

local function is_too_late()
  if not counts_until_ms then
    return false
  end
  local seconds, microseconds = unpack(redis.call('TIME'))
  return seconds * 1000 + microseconds / 1000 > tonumber(counts_until_ms)
end

-- Note the answer to a call, for its repeat.  A repeat notes it again: who waits for replicas waits for what its own
-- connection has written, and so for all that was written before.
local function note_answer(nonce, answer, ttl_ms)
  redis.call('SET', NONCE .. nonce, answer, 'PX', ttl_ms)
end

-- Keep the answer to a call for its repeats: the ids of tasks as text.  With an Idempotency-Key, whose request has this
-- `digest`, its sender's repeats get it too.
local function keep_answer(nonce, answer, nonce_ttl_ms, digest, idempotency_ttl_ms)
  note_answer(nonce, answer, nonce_ttl_ms)
  if digest ~= '' then
    redis.call('SET', IDEMPOTENCY, digest .. ' ' .. answer, 'PX', idempotency_ttl_ms)
  end
end

-- The answer that this call got before, or an earlier request under the same Idempotency-Key; nil if there is none.
-- The second value tells that the key names another request.
local function earlier_answer(nonce, nonce_ttl_ms, digest)
  local answer = redis.call('GET', NONCE .. nonce)
  local record = not answer and digest ~= '' and redis.call('GET', IDEMPOTENCY)
  if record then
    local seen, noted = string.match(record, '^(%S+) (.+)$')
    if seen ~= digest then
      return nil, true
    end
    answer = noted
  end
  if answer then
    note_answer(nonce, answer, nonce_ttl_ms)
  elseif is_too_late() then
    error({err = 'TOOLATE'})
  end
  return answer or nil, false
end
