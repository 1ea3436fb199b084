#!lua flags=no-writes
-- read_changed: entries of several kinds and sections by id, and the position in the change feed, as of one moment.
--
-- KEYS  the partition (_partition.lua), then
-- KEYS  PLACES…      for each place (a kind in a section) two hashes: its entries, and what was PATCHed since they were written
-- ARGV  generations  msgpack: whose keys these are, place by place
-- ARGV  sections     msgpack: the section of each place; '' for the item groups
-- ARGV  ids          msgpack: a list of ids for each place, 1,000 in all at most
-- ARGV  most_bytes   about how many bytes of entries are read at most, but always one entry
--
-- Returns {{generation that readers see…}}, and no more if one is another;
-- then the last task that has ended, run of the server, the last task of whose effects some may be among the entries
-- (a later one while it is applied chunk by chunk), how many of the ids were looked up, in their order, and of those
-- for each place {entry or nil…}, {patch or nil…} or {}.

-- include: _partition
-- include: _info
-- include: _server_run
-- include: _ranks
-- include: _ended

local seen, same = {}, true
local expected = cmsgpack.unpack(generations)
for i, section in ipairs(cmsgpack.unpack(sections)) do
  seen[i] = tonumber(redis.call('HGET', SECTIONS, section) or '0')
  same = same and seen[i] == expected[i]
end
if not same then
  return {seen}
end
local latest = last_ended(read_untold())
local head = redis.call('XRANGE', STREAM, '-', '+', 'COUNT', 1)[1]
local reach = latest
if head then
  local task_id = string.match(head[1], '^%d+')
  local chunks_done, page, builds = unpack(redis.call('HMGET', TASK .. task_id, 'chunks_done', 'page', 'builds'))
  -- Of a generation that is being built readers see nothing.
  if not builds and ((tonumber(chunks_done) or 0) > 0 or (tonumber(page) or 0) > 0) then
    reach = tonumber(task_id)
  end
end
local left, count, full = tonumber(most_bytes), 0, false

-- The first of some ids: as many as there is room for.
local function fitting(some, entries, patches, is_patched)
  local first = {}
  for _, id in ipairs(some) do
    local size = redis.call('HSTRLEN', entries, id) + (is_patched and redis.call('HSTRLEN', patches, id) or 0)
    full = full or (count > 0 and size > left)
    if full then
      break
    end
    left, count = left - size, count + 1
    first[#first + 1] = id
  end
  return first
end

local answer = {seen, latest, server_run(), reach, 0}
for i, some in ipairs(cmsgpack.unpack(ids)) do
  local entries, patches = PLACES[2 * i - 1], PLACES[2 * i]
  local is_patched = redis.call('EXISTS', patches) == 1
  local first = fitting(some, entries, patches, is_patched)
  answer[#answer + 1] = #first > 0 and redis.call('HMGET', entries, unpack(first)) or {}
  answer[#answer + 1] = #first > 0 and is_patched and redis.call('HMGET', patches, unpack(first)) or {}
end
answer[5] = count
return answer
