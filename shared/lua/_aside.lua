-- Let a plain HSET write the values of a long commit, at half of what it costs a script to take them apart and pass them
-- on.  Needs _partition.lua and the keys ENTRIES and ASIDE.
--
-- A commit is one transaction then: the script with 'begin', HSET into ASIDE, the script with 'end'.  If the commit takes
-- effect, ENTRIES is ASIDE meanwhile.  If it is refused, or the server does not know the script, HSET writes where nobody
-- looks.  A server that stops within the transaction has done all of it or nothing.

local function set_aside()
  redis.call('UNLINK', ASIDE)
  if redis.call('EXISTS', ENTRIES) == 1 then
    redis.call('RENAME', ENTRIES, ASIDE)
  end
  redis.call('HSET', POSITION, 'aside', 1)
end

local function put_back()
  if redis.call('HDEL', POSITION, 'aside') == 1 then
    redis.call('RENAME', ASIDE, ENTRIES)
  else
    redis.call('UNLINK', ASIDE)
  end
end
