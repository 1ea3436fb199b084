#!lua flags=no-writes
-- read_changed: entries of several kinds and sections by id, and the position in the change feed, as of one moment.
--
-- KEYS  the partition (_partition.lua), then
-- KEYS  PLACES…      for each place (a kind in a section) two hashes: its entries, and what was PATCHed since they were written
-- ARGV  generations  msgpack: whose keys these are, place by place
-- ARGV  sections     msgpack: the section of each place; '' for the item groups
-- ARGV  ids          msgpack: a list of ids for each place, 1,000 in all at most
--
-- Returns {{generation that readers see…}}, and no more if one is another;
-- then the last task that has ended, run of the server, the last task of whose effects some may be among the entries
-- (a later one while it is applied chunk by chunk), and for each place {entry or nil…}, {patch or nil…} or {}.

-- include: _partition
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
local answer = {seen, latest, server_run(), reach}
for i, some in ipairs(cmsgpack.unpack(ids)) do
  local entries, patches = PLACES[2 * i - 1], PLACES[2 * i]
  answer[#answer + 1] = redis.call('HMGET', entries, unpack(some))
  answer[#answer + 1] = redis.call('EXISTS', patches) == 1 and redis.call('HMGET', patches, unpack(some)) or {}
end
return answer
