#!lua flags=allow-oom
-- commit_chunk: write the effects of one page of one chunk, if everything is as the caller believes; otherwise nothing.
-- The last page of the last chunk ends the task.
-- Its step in tests/model/protocol.pml: commit_chunk.
--
-- KEYS      the partition, see _partition.lua, then, for the section and generation written to, or the item groups
-- KEYS[21]  entries     hash  of the batch's kind
-- KEYS[22]  index       zset  of the batch's kind
-- KEYS[23]  variations  hash  those that go with their items
-- KEYS[24]  index of variations  zset
-- KEYS[25]  links       zset  item → variations
-- KEYS[26]  patches     hash  what was PATCHed since an entry was written, of the batch's kind
-- KEYS[27]  minutes     string  entries accepted and applied in each minute of this hour
-- KEYS[28]  history     list  which tasks touched which entries
-- KEYS[29…] if a generation that was built takes its place here: the keys that it replaces, to be let go of, then those
--           that it takes over, each followed by its new name
-- ARGV[1]   token
-- ARGV[2]   task id
-- ARGV[3]   chunk
-- ARGV[4]   generation
-- ARGV[5]   base: the commit whose effects the caller has read, '' if none
-- ARGV[6]   this commit's name, the base of the next
-- ARGV[7]   now, ms
-- ARGV[8]   lease TTL, ms
-- ARGV[9]   1 if the caller wants more work
-- ARGV[10]  1 if this page ends the chunk
-- ARGV[11]  outcome bytes of the entries of this page; '?' for a put: created and updated are told apart here
-- ARGV[12]  warnings, JSON objects joined by commas, or ''
-- ARGV[13…18] updated and deleted: items, variations, item groups
-- ARGV[19]  cap of payload bytes kept for audit
-- ARGV[20]  ids of those puts that are not there yet, msgpack; '' if that is to be found out here
-- ARGV[21]  ids to put, msgpack, the last ones of which are only PATCHed beside what is there
-- ARGV[22]  lengths of their values, msgpack
-- ARGV[23]  their values, one behind the other: one long argument costs the server less than a thousand short ones
-- ARGV[24]  msgpack: {ids to delete, ids of variations deleted with their items, links to add, links to remove,
--           ids of variations put with their items, their values};
--           each of these lists, and that of the puts, has 1,000 members at most: unpack fails near 8,000
-- ARGV[25]  what is changed here that is no entry of the batch, as it is kept for the change feed; '' if nothing is;
--           '-' if something is, but there is no change feed, which can then never tell of it
-- ARGV[26]  a digest, 4 bytes, of the id of each entry that is touched here although the batch does not name it
-- ARGV[27]  cap of the bytes of the history
-- ARGV[28]  section, '' for the item groups
-- ARGV[29]  1 if what is written is no part of what readers see yet
-- ARGV[30]  a digest, 4 bytes, of the id of each entry of this chunk, if submit did not have them
-- ARGV[31]  index of the first of them in the batch
-- ARGV[32]  sections, '' for the item groups, that the generation takes its place in, msgpack; '' if it does not
-- ARGV[33]  how many keys it replaces
-- ARGV[34]  how many of the ids to put are only PATCHed
--
-- Returns {code, HELD | RELEASED, next window if wanted}, code OK or ALREADY_DONE;
-- or {FENCED | CANCELED | NOT_HEAD | WRONG_CHUNK | STALE}.

-- include: _partition
-- include: _window
-- include: _owner
-- include: _kept
-- include: _end

local ENTRIES, INDEX, VARIATIONS, VARIATIONS_INDEX, LINKS, PATCHES, MINUTES, HISTORY = unpack(KEYS, 21, 28)

-- include: _minutes
-- include: _history

local token, task_id, chunk, generation, base, name, now_ms, lease_ttl_ms, wants_more = unpack(ARGV, 1, 9)
local chunk_ends, outcomes, warnings = ARGV[10] == '1', ARGV[11], ARGV[12]
local record = TASK .. task_id

if not is_owner(token) then
  return {'FENCED'}
end
local applied = redis.call('HGET', POSITION, 'applied') or ''
if applied == name then
  return answer_owner('ALREADY_DONE', lease_ttl_ms, wants_more)
end
local status, problem = head_status(task_id)
if not status then
  return {problem}
end
local section = ARGV[28]
local chunks, chunks_done, started_ms = unpack(redis.call('HMGET', record, 'chunks', 'chunks_done', 'started_ms'))
if chunks_done ~= chunk then
  return {'WRONG_CHUNK'}
end
if applied ~= base or (redis.call('HGET', SECTIONS, section) or '0') ~= generation then
  return {'STALE'}
end

-- From here on only writes.

-- Find out which of these ids were not there before their entries were written, of which so many were not; returns them,
-- and for each id the outcome byte of created or updated.
local function look_for(ids, added)
  -- Nearly always all of a page are new, or none is: looking each up would cost a tenth of the whole commit.
  if added == 0 then
    return {}, string.rep('u', #ids)
  end
  if added == #ids then
    return ids, string.rep('c', #ids)
  end
  local new, marks = {}, {}
  for i, score in ipairs(redis.call('ZMSCORE', INDEX, unpack(ids))) do
    marks[i] = score and 'u' or 'c'
    if not score then
      new[#new + 1] = ids[i]
    end
  end
  return new, table.concat(marks)
end

-- Forget what was PATCHed of entries that are written anew, or deleted.
local function unpatch(ids)
  if #ids > 0 and redis.call('EXISTS', PATCHES) == 1 then
    redis.call('HDEL', PATCHES, unpack(ids))
  end
end

-- Write the entries that are put; returns the outcome bytes, created or updated, of those of which it was found out here.
local function put()
  local ids, lengths, text, sub = cmsgpack.unpack(ARGV[21]), cmsgpack.unpack(ARGV[22]), ARGV[23], string.sub
  if #ids == 0 then
    return ''
  end
  local past = 0
  -- List ids and values, as HSET takes them.
  local function pairs_of(first, last)
    local fields, place = {}, 0
    for i = first, last do
      fields[place + 1] = ids[i]
      fields[place + 2] = sub(text, past + 1, past + lengths[i])
      place, past = place + 2, past + lengths[i]
    end
    return fields
  end
  local whole = #ids - tonumber(ARGV[34])
  local fields = pairs_of(1, whole)
  if whole < #ids then
    redis.call('HSET', PATCHES, unpack(pairs_of(whole + 1, #ids)))
    ids = {unpack(ids, 1, whole)}
  end
  if whole == 0 then
    return ''
  end
  local added, new, marks = redis.call('HSET', ENTRIES, unpack(fields)), nil, ''
  if ARGV[20] == '' then
    new, marks = look_for(ids, added)
  else
    new = cmsgpack.unpack(ARGV[20])
  end
  unpatch(ids)
  if #new > 0 then
    local members = {}
    for i, id in ipairs(new) do
      members[2 * i - 1], members[2 * i] = 0, id
    end
    redis.call('ZADD', INDEX, unpack(members))
    -- Item groups have no section; what is not seen yet is in none.
    if section ~= '' and ARGV[29] ~= '1' then
      redis.call('HSETNX', SECTIONS, section, '0')
    end
  end
  return marks
end

local function put_variations(ids, values)
  if #ids > 0 then
    local fields, members = {}, {}
    for i, id in ipairs(ids) do
      fields[2 * i - 1], fields[2 * i] = id, values[i]
      members[2 * i - 1], members[2 * i] = 0, id
    end
    redis.call('HSET', VARIATIONS, unpack(fields))
    redis.call('ZADD', VARIATIONS_INDEX, unpack(members))
  end
end

local function delete(entries, index, ids)
  if #ids > 0 then
    redis.call('HDEL', entries, unpack(ids))
    redis.call('ZREM', index, unpack(ids))
  end
end

local function relink(added, removed)
  if #added > 0 then
    local members = {}
    for i, link in ipairs(added) do
      members[2 * i - 1] = 0
      members[2 * i] = link
    end
    redis.call('ZADD', LINKS, unpack(members))
  end
  if #removed > 0 then
    redis.call('ZREM', LINKS, unpack(removed))
  end
end

-- Let the generation that was built take the place of the one that readers have seen: from now on, at once.
local function flip()
  local first_kept = 29 + tonumber(ARGV[33])
  for i = 29, first_kept - 1 do
    redis.call('UNLINK', KEYS[i])
  end
  for i = first_kept, #KEYS, 2 do
    if redis.call('EXISTS', KEYS[i]) == 1 then
      redis.call('RENAME', KEYS[i], KEYS[i + 1])
    end
  end
  for _, name in ipairs(cmsgpack.unpack(ARGV[32])) do
    redis.call('HSET', SECTIONS, name, task_id)
  end
end

local marks = put()
local deletes, cascade, links_added, links_removed, variations, values = unpack(cmsgpack.unpack(ARGV[24]))
delete(ENTRIES, INDEX, deletes)
unpatch(deletes)
delete(VARIATIONS, VARIATIONS_INDEX, cascade)
put_variations(variations, values)
relink(links_added, links_removed)
if ARGV[25] == '-' then
  mark_untold(task_id)
elseif ARGV[25] ~= '' then
  -- Kept, counted and let go of with the payload.
  redis.call('RPUSH', ALSO_CHANGED .. task_id, ARGV[25])
  redis.call('HINCRBY', record, 'payload_bytes', #ARGV[25])
  redis.call('HINCRBY', WAITING, 'bytes', #ARGV[25])
end

if outcomes == string.rep('?', #marks) then
  outcomes = marks
else
  local marked = 0
  outcomes = string.gsub(outcomes, '?', function()
    marked = marked + 1
    return string.sub(marks, marked, marked)
  end)
end
redis.call('APPEND', REPORT .. task_id, outcomes)
redis.call('HINCRBY', record, 'entries_done', #outcomes)
if #outcomes > 0 then
  count_minute(APPLIED, now_ms, #outcomes)
end
if ARGV[26] ~= '' then
  remember(task_id, ALSO, 0, ARGV[26], tonumber(ARGV[27]))
end
if ARGV[30] ~= '' then
  remember(task_id, 0, ARGV[31], ARGV[30], tonumber(ARGV[27]))
end
if ARGV[32] ~= '' then
  flip()
end
for i, count in ipairs({'items_updated', 'items_deleted', 'variations_updated', 'variations_deleted',
  'item_groups_updated', 'item_groups_deleted'}) do
  if ARGV[12 + i] ~= '0' then
    redis.call('HINCRBY', record, count, ARGV[12 + i])
  end
end
if warnings ~= '' then
  local before = redis.call('HGET', record, 'warnings')
  redis.call('HSET', record, 'warnings', before and (before .. ',' .. warnings) or warnings)
end
redis.call('HSET', POSITION, 'applied', name)
redis.call('HDEL', POSITION, 'lost')
if not started_ms then
  redis.call('HSET', record, 'started_ms', now_ms)
end

if not chunk_ends then
  redis.call('HINCRBY', record, 'page', 1)
else
  redis.call('HINCRBY', record, 'chunks_done', 1)
end
if chunk_ends and tonumber(chunk) + 1 == tonumber(chunks) then
  end_task(task_id, status, 'DONE', now_ms, tonumber(ARGV[19]))
else
  redis.call('HSET', record, 'updated_ms', now_ms)
  if status == 'QUEUED' then
    set_status(task_id, 'QUEUED', 'IN_PROGRESS')
  end
end
return answer_owner('OK', lease_ttl_ms, wants_more)
