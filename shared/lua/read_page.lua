#!lua flags=no-writes
-- read_page: a page of the entries of a kind, ordered by id, as of one moment.
--
-- KEYS  the partition (_partition.lua), then
-- KEYS  ENTRIES     hash
-- KEYS  INDEX       zset  their ids
-- KEYS  PATCHES     hash  what was PATCHed since they were written
-- ARGV  generation  whose keys these are
-- ARGV  section     '' for the item groups
-- ARGV  start       where ids begin, as ZRANGE … BYLEX takes it; '' to count from the first
-- ARGV  stop        where ids end, likewise
-- ARGV  offset      how many to pass over, if they are counted
-- ARGV  size        how many at most
-- ARGV  bytes       about how many bytes of entries at most, but always one entry; 0 for no limit
-- ARGV  with_position  1 to reply with the position in the change feed too
--
-- Returns {generation that readers see}, and no more if that is another;
-- then {ids}, {entry or nil…}, {patch or nil…} or {} if nothing was PATCHed, the id that follows or false, the number of
-- all entries, {the last task that has ended, run of the server} or false.

-- include: _partition
-- include: _info
-- include: _server_run
-- include: _ranks
-- include: _ended

offset, size = tonumber(offset), tonumber(size)

local seen = redis.call('HGET', SECTIONS, section) or '0'
if seen ~= generation then
  return {tonumber(seen)}
end

local ids
if start == '' then
  ids = redis.call('ZRANGE', INDEX, offset, offset + size)
else
  ids = redis.call('ZRANGE', INDEX, start, stop, 'BYLEX', 'LIMIT', 0, size + 1)
end
local following = #ids > size and table.remove(ids) or false
bytes = tonumber(bytes)
for i = 1, bytes > 0 and #ids or 0 do
  bytes = bytes - redis.call('HSTRLEN', ENTRIES, ids[i])
  if bytes < 0 and i > 1 then
    following = ids[i]
    ids = {unpack(ids, 1, i - 1)}
    break
  end
end
local values, patches = {}, {}
if #ids > 0 then
  values = redis.call('HMGET', ENTRIES, unpack(ids))
  if redis.call('EXISTS', PATCHES) == 1 then
    patches = redis.call('HMGET', PATCHES, unpack(ids))
  end
end
return {tonumber(seen), ids, values, patches, following, redis.call('ZCARD', INDEX),
  with_position == '1' and {(last_ended(read_untold())), server_run()}}
