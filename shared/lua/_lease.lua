-- Leases: hashes {token, holder} that expire unless they are extended.

local function is_held(lease, token)
  return redis.call('HGET', lease, 'token') == token
end

local function take_lease(lease, token, holder, ttl_ms)
  redis.call('HSET', lease, 'token', token, 'holder', holder)
  redis.call('PEXPIRE', lease, ttl_ms)
end
