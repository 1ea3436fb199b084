-- Let a plain HSET write the values of a long commit, at half of what it costs a script to take them apart and pass them
-- on.  Needs _partition.lua and the keys ENTRIES, PATCHES and ASIDE.
--
-- A commit is one transaction then: the script with 'begin', HSET into ASIDE, the script with 'end'.  If the commit takes
-- effect, the key that it writes to is ASIDE meanwhile.  If it is refused, or the server does not know the script, HSET
-- writes where nobody looks.  A server that stops within the transaction has done all of it or nothing.
--
-- To set aside is the last that 'begin' does: from then on the key has another name.  What a commit deletes or touches, it
-- does before the values are there.

local function set_aside(key)
  redis.call('UNLINK', ASIDE)
  if redis.call('EXISTS', key) == 1 then
    redis.call('RENAME', key, ASIDE)
  end
  redis.call('HSET', POSITION, 'aside', key)
end

local function put_back()
  local key = redis.call('HGET', POSITION, 'aside')
  if key then
    redis.call('HDEL', POSITION, 'aside')
    redis.call('RENAME', ASIDE, key == PATCHES and PATCHES or ENTRIES)
  else
    redis.call('UNLINK', ASIDE)
  end
end
