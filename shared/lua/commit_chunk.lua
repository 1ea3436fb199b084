#!lua flags=allow-oom
-- commit_chunk: write the effects of one page of one chunk, if everything is as the caller believes; otherwise nothing.
-- The last page of the last chunk ends the task.
-- Its step in tests/model/protocol.pml: commit_chunk.
--
-- KEYS  the partition (_partition.lua), then, of the section and generation written to, or of the item groups,
-- KEYS  ENTRIES            hash    of the batch's kind
-- KEYS  INDEX              zset    their ids
-- KEYS  VARIATIONS         hash    those that go with their items
-- KEYS  VARIATIONS_INDEX   zset    their ids
-- KEYS  LINKS              zset    item → variations
-- KEYS  PATCHES            hash    what was PATCHed since an entry was written, of the batch's kind
-- KEYS  ITEMS              hash    the items that variations belong to
-- KEYS  ITEM_PATCHES       hash    what was PATCHed since they were written
-- KEYS  TOUCHED_PATCHES    hash    the same, or what takes its place when variations that are built alone are seen
-- KEYS  MINUTES            string  entries accepted and applied in each minute of this hour
-- KEYS  HISTORY            list    which tasks touched which entries
-- KEYS  RESERVED           string  memory that waiting tasks will take, over all catalogs
-- KEYS  ASIDE              hash    ENTRIES or PATCHES, while much is written to it (_aside.lua)
-- KEYS  FLIPPED…           if a generation takes its place here: keys to delete, then pairs of a key and its new name
-- ARGV  token              the owner's fencing token
-- ARGV  task_id            the head
-- ARGV  chunk              its number
-- ARGV  generation         the live one that the caller has read
-- ARGV  base               the commit whose effects the caller has read, '' if none
-- ARGV  name               this commit's name, the base of the next
-- ARGV  now_ms
-- ARGV  lease_ttl_ms
-- ARGV  wants_more         1 if the caller wants more work
-- ARGV  chunk_ends         1 if this page ends the chunk
-- ARGV  outcomes           an outcome byte for each entry of this page
-- ARGV  warnings           JSON objects joined by commas, or ''
-- ARGV  counts             msgpack: counters of the task record to raise, name and number in turn, each name once
-- ARGV  kept_cap_bytes     cap of the payload bytes kept for audit
-- ARGV  new_ids            msgpack: those puts that are not there yet
-- ARGV  put_ids            msgpack: ids to put
-- ARGV  patched            how many of them, the last ones, are only PATCHed beside what is there
-- ARGV  lengths            msgpack: the lengths of their values; '' if they are not in the text
-- ARGV  text               their values, one behind the other: one long argument is cheaper than a thousand short ones
-- ARGV  text_bytes         bytes of the values
-- ARGV  half               '' if the values are in the text; 'begin': the next command writes them; 'end': it did
-- ARGV  others             msgpack: {ids to delete, variations deleted with their items, links to add, links to remove,
--                          variations put with their items, their values, items whose variations change, items to carry}
-- ARGV  also_changed       for the change feed: what changes that is no entry of the batch; '' if nothing does; '-' if
--                          something does and there is no change feed, which can then never report it
-- ARGV  also_touched       digests, 4 bytes each, of the ids that are touched here although the batch does not name them
-- ARGV  history_cap_bytes  cap of the history's bytes
-- ARGV  section            '' for the item groups
-- ARGV  unseen             1 if readers do not see yet what is written
-- ARGV  touched            digests, 4 bytes each, of the ids of this chunk, if submit did not have them
-- ARGV  first              index of the first of them in the batch
-- ARGV  sections           msgpack: the sections whose live generation this commit replaces; '' if none
-- ARGV  replaced           how many of the flipped keys are deleted
-- ARGV  planned            what the task would change, as JSON; '' if that was not worked out, or is written already
--
-- Returns {code, HELD | RELEASED, next window if wanted}, code OK or ALREADY_DONE;
-- or {FENCED | CANCELED | NOT_HEAD | WRONG_CHUNK | STALE}.  To 'end' nothing.

-- include: _partition
-- include: _window
-- include: _owner
-- include: _kept
-- include: _info
-- include: _reserved
-- include: _end
-- include: _progress
-- include: _minutes
-- include: _history
-- include: _write_entries
-- include: _aside
-- include: _flip

if half == 'end' then
  return put_back()
end
local record = TASK .. task_id
if not is_owner(token) then
  return {'FENCED'}
end
local applied, lost = unpack(redis.call('HMGET', POSITION, 'applied', 'lost'))
applied = applied or ''
if applied == name then
  return answer_owner('ALREADY_DONE', lease_ttl_ms, wants_more)
end
local raised = cmsgpack.unpack(counts)
local before = read_progress(record, raised)
local problem = head_problem(task_id, before.status)
if problem then
  return {problem}
end
if before.chunks_done ~= chunk then
  return {'WRONG_CHUNK'}
end
if applied ~= base or (redis.call('HGET', SECTIONS, section) or '0') ~= generation then
  return {'STALE'}
end

-- From here on only writes.
local new = cmsgpack.unpack(new_ids)
put_entries(put_ids, lengths, text, tonumber(patched), new)
-- Item groups have no section; what is not seen yet is in none.
if #new > 0 and section ~= '' and unseen ~= '1' then
  redis.call('HSETNX', SECTIONS, section, '0')
end
local deletes, cascade, links_added, links_removed, variations, values, items, carried = unpack(cmsgpack.unpack(others))
delete_entries(ENTRIES, INDEX, deletes, drop_patches)
delete_entries(VARIATIONS, VARIATIONS_INDEX, cascade)
put_variations(variations, values)
relink(links_added, links_removed, items, carried, now_ms)
keep_also_changed(task_id, also_changed)

redis.call('APPEND', REPORT .. task_id, outcomes)
if #outcomes > 0 then
  count_minute(APPLIED, now_ms, #outcomes)
end
if also_touched ~= '' then
  remember(task_id, ALSO, 0, also_touched, tonumber(history_cap_bytes))
end
if touched ~= '' then
  remember(task_id, 0, first, touched, tonumber(history_cap_bytes))
end
if planned ~= '' then
  redis.call('HSET', record, 'planned', planned)
end
if sections ~= '' then
  flip(task_id, FLIPPED, tonumber(replaced), cmsgpack.unpack(sections))
end
if warnings ~= '' then
  add_warnings(task_id, warnings)
end
redis.call('HSET', POSITION, 'applied', name)
if lost then
  redis.call('HDEL', POSITION, 'lost')
end
local progress = progress_of(before, raised, now_ms)
if chunk_ends == '1' and tonumber(chunk) + 1 == tonumber(before.chunks) then
  end_task(task_id, before.status, 'DONE', now_ms, tonumber(kept_cap_bytes), progress)
else
  if unseen == '1' then
    release_made(task_id, tonumber(text_bytes))
  end
  redis.call('HSET', record, 'updated_ms', now_ms, unpack(progress))
  if before.status == 'QUEUED' then
    set_status(task_id, 'QUEUED', 'IN_PROGRESS')
  end
end
if half == 'begin' then
  set_aside(tonumber(patched) > 0 and PATCHES or ENTRIES)
end
return answer_owner('OK', lease_ttl_ms, wants_more)
