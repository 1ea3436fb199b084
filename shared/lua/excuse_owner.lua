#!lua flags=allow-oom
-- excuse_owner: give a partition back late, without counting a stall, after an outage of the store.
--
-- KEYS  the partition (_partition.lua)
-- ARGV  nonce  nonce with which it was acquired, whether or not that was ever answered
--
-- Returns OK; a second call changes nothing.

-- include: _partition

local function is_its_own(token)
  return token and string.match(token, ':(.*)$') == nonce
end

if is_its_own(redis.call('HGET', LEASE, 'token')) then
  redis.call('DEL', LEASE)
end
local held, lost = unpack(redis.call('HMGET', POSITION, 'held', 'lost'))
if is_its_own(held) then
  redis.call('HDEL', POSITION, 'held')
elseif lost then
  local kept = string.gsub(lost, '%S+ ', function(token)
    return is_its_own(string.sub(token, 1, -2)) and '' or token
  end)
  redis.call('HSET', POSITION, 'lost', kept)
end
return 'OK'
