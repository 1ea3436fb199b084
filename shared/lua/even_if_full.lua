#!lua flags=allow-oom
-- even_if_full: do one small write even if no memory is left, because it helps to free memory.
--
-- KEYS  KEY         what it writes to
-- ARGV  command     its name
-- ARGV  arguments…  those behind the key
--
-- Returns what the command does.

return redis.call(command, KEY, unpack(arguments))
