#!lua flags=allow-oom
-- try_rights: try every kind of command that is used with the store, and leave nothing behind.
--
-- KEYS  TRIAL  stream  not there before and not afterwards
-- ARGV  text   what is written meanwhile
--
-- Returns 1; the server's error if its rules forbid something.

redis.call('INFO', 'server')
redis.call('XADD', TRIAL, '1-0', 'a', 'b')
redis.call('XRANGE', TRIAL, '-', '+')
redis.call('DEL', TRIAL)
redis.call('ZADD', TRIAL, 1, 'a')
redis.call('ZRANGE', TRIAL, 0, -1)
redis.call('DEL', TRIAL)
redis.call('HSET', TRIAL, 'a', 'b')
redis.call('HMGET', TRIAL, 'a')
redis.call('PEXPIRE', TRIAL, 1000)
redis.call('UNLINK', TRIAL)
redis.call('RPUSH', TRIAL, 'a')
redis.call('LRANGE', TRIAL, 0, -1)
redis.call('UNLINK', TRIAL)
redis.call('SET', TRIAL, text)
redis.call('SETRANGE', TRIAL, 1, 'b')
redis.call('GETRANGE', TRIAL, 0, -1)
redis.call('UNLINK', TRIAL)
return 1
