#!lua flags=no-writes
-- read_entries: entries by id, with what was PATCHed of them since they were written, as of one moment.
--
-- A transaction would do the same, but for a full store: there Redis before 7.4 takes no command into one.
--
-- KEYS  SECTIONS    hash  section → generation that readers see
-- KEYS  ENTRIES     hash
-- KEYS  PATCHES     hash
-- ARGV  generation  whose keys these are
-- ARGV  section     '' for the item groups
-- ARGV  ids…        which to read
--
-- Returns {generation that readers see}, and no more if that is another;
-- then {entry or nil…}, {patch or nil…} or {} if nothing was PATCHed.

local seen = redis.call('HGET', SECTIONS, section) or '0'
if seen ~= generation then
  return {tonumber(seen)}
end
local patches = {}
if redis.call('EXISTS', PATCHES) == 1 then
  patches = redis.call('HMGET', PATCHES, unpack(ids))
end
return {tonumber(seen), redis.call('HMGET', ENTRIES, unpack(ids)), patches}
