#!lua flags=no-writes
-- read_state: how a partition looks from outside, in one step, so that a look at a thousand is a thousand small ones.
--
-- KEYS[1]  waiting   hash    {tasks, bytes, entries}
-- KEYS[2]  position  hash    {lost, stuck}
-- KEYS[3]  lease     hash    {holder}; absent while nobody owns the partition
-- KEYS[4]  stream    stream  accepted batches, oldest first
-- KEYS[5]  task      the beginning of the names of task records
-- ARGV[]   nothing
--
-- Returns {tasks, bytes, entries, head, when it was submitted, its entries that are done, holder, lost, stuck}; each
-- false where there is none.

local function fields(key, ...)
  return unpack(redis.call('HMGET', key, ...))
end

local entry = redis.call('XRANGE', KEYS[4], '-', '+', 'COUNT', 1)[1]
local head, submitted_ms, done = entry and string.match(entry[1], '^%d+'), false, false
if head then
  submitted_ms, done = fields(KEYS[5] .. head, 'submitted_ms', 'entries_done')
end
local tasks, bytes, entries = fields(KEYS[1], 'tasks', 'bytes', 'entries')
local lost, stuck = fields(KEYS[2], 'lost', 'stuck')
return {tasks, bytes, entries, head or false, submitted_ms, done, redis.call('HGET', KEYS[3], 'holder'), lost, stuck}
