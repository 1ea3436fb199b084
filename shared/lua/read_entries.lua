#!lua flags=no-writes
-- read_entries: entries, and what was PATCHed of them since they were written, as of one moment.
--
-- A transaction would do the same, but for a full store: there Redis before 7.4 takes no command into one.
--
-- KEYS[1]  entries  hash
-- KEYS[2]  patches  hash
-- ARGV[1…] ids
--
-- Returns {{entry or nil…}, {patch or nil…}}.

return {redis.call('HMGET', KEYS[1], unpack(ARGV)), redis.call('HMGET', KEYS[2], unpack(ARGV))}
