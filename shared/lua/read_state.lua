#!lua flags=no-writes
-- read_state: read the state of one partition, in one small step, so that reading thousands never blocks the server.
--
-- KEYS  WAITING   hash    {tasks, bytes, entries}
-- KEYS  POSITION  hash    {lost, stuck}
-- KEYS  LEASE     hash    {holder}; absent while nobody owns the partition
-- KEYS  STREAM    stream  accepted batches, oldest first
-- KEYS  TASK      the beginning of the names of task records
-- ARGV  (none)
--
-- Returns {tasks, bytes, entries, head, when it was submitted, its entries that are done, holder, lost, stuck}; each
-- false where there is none.

local function fields(key, ...)
  return unpack(redis.call('HMGET', key, ...))
end

local entry = redis.call('XRANGE', STREAM, '-', '+', 'COUNT', 1)[1]
local head, submitted_ms, done = entry and string.match(entry[1], '^%d+'), false, false
if head then
  submitted_ms, done = fields(TASK .. head, 'submitted_ms', 'entries_done')
end
local tasks, bytes, entries = fields(WAITING, 'tasks', 'bytes', 'entries')
local lost, stuck = fields(POSITION, 'lost', 'stuck')
return {tasks, bytes, entries, head or false, submitted_ms, done, redis.call('HGET', LEASE, 'holder'), lost, stuck}
