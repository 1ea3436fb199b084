#!lua flags=allow-oom
-- even_if_full: one small write that has to go on when no memory is left, since it helps to make room.
--
-- KEYS[1]   what it writes to
-- ARGV[1]   the command's name
-- ARGV[2…]  its arguments behind the key
--
-- Returns what the command does.

return redis.call(ARGV[1], KEYS[1], unpack(ARGV, 2))
