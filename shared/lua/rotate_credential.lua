#!lua
-- rotate_credential: write a new credential beside another, which gets an end; only if that is there as it was read.
--
-- KEYS  CREDENTIALS  hash    digest of a token → JSON
-- KEYS  VERSION      string  counts the changes of CREDENTIALS
-- ARGV  digest       of the old token
-- ARGV  was          its credential, as the caller read it
-- ARGV  ending       the same with its end
-- ARGV  new_digest   of the new token
-- ARGV  new          its credential
--
-- Returns ROTATED, also to a repeated call | CHANGED | GONE: it was revoked meanwhile.

if redis.call('HEXISTS', CREDENTIALS, new_digest) == 1 then
  return 'ROTATED'
end
local there = redis.call('HGET', CREDENTIALS, digest)
if there ~= was then
  return there and 'CHANGED' or 'GONE'
end
redis.call('HSET', CREDENTIALS, digest, ending, new_digest, new)
redis.call('INCR', VERSION)
return 'ROTATED'
