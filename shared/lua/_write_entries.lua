-- Write entries, their index and their links.  Needs the keys ENTRIES, INDEX, PATCHES, VARIATIONS, VARIATIONS_INDEX,
-- LINKS, ITEMS, ITEM_PATCHES, TOUCHED_PATCHES and ASIDE.  Lists have 1,000 members at most: unpack fails near 8,000.

-- List members as ZADD takes them, all with the score 0.
local function scored(members)
  local list = {}
  for i, member in ipairs(members) do
    list[2 * i - 1], list[2 * i] = 0, member
  end
  return list
end

-- Drop what was PATCHed of entries that are written anew, or deleted.
local function drop_patches(ids)
  if #ids > 0 and redis.call('EXISTS', PATCHES) == 1 then
    redis.call('HDEL', PATCHES, unpack(ids))
  end
end

local function add_to_index(new)
  if #new > 0 then
    redis.call('ZADD', INDEX, unpack(scored(new)))
  end
end

-- Write entries, the last `patched` of them beside what is stored.  Ids and lengths are msgpack.  `text` has all values,
-- one behind the other, of these lengths; without lengths, others write the values.  `new` are the ids that are not there.
local function put_entries(ids, lengths, text, patched, new)
  if lengths == '' then
    if patched == 0 and redis.call('EXISTS', PATCHES) == 1 then
      drop_patches(cmsgpack.unpack(ids))
    end
    return add_to_index(new)
  end
  -- What a transaction wrote aside before the server knew this script.
  redis.call('UNLINK', ASIDE)
  ids, lengths = cmsgpack.unpack(ids), cmsgpack.unpack(lengths)
  local past, sub = 0, string.sub
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
  local whole = #ids - patched
  local fields = pairs_of(1, whole)
  if patched > 0 then
    redis.call('HSET', PATCHES, unpack(pairs_of(whole + 1, #ids)))
    ids = {unpack(ids, 1, whole)}
  end
  if whole == 0 then
    return
  end
  redis.call('HSET', ENTRIES, unpack(fields))
  drop_patches(ids)
  add_to_index(new)
end

local function put_variations(ids, values)
  if #ids > 0 then
    local fields = {}
    for i, id in ipairs(ids) do
      fields[2 * i - 1], fields[2 * i] = id, values[i]
    end
    redis.call('HSET', VARIATIONS, unpack(fields))
    redis.call('ZADD', VARIATIONS_INDEX, unpack(scored(ids)))
  end
end

-- Delete entries; `also` is called for them, if given.
local function delete_entries(entries, index, ids, also)
  if #ids > 0 then
    redis.call('HDEL', entries, unpack(ids))
    redis.call('ZREM', index, unpack(ids))
    if also then
      also(ids)
    end
  end
end

-- Move the update time of items that are there.  They may be long, so it is the time of what was PATCHed beside them that
-- moves: of nothing, if nothing was.  TOUCHED_PATCHES is ITEM_PATCHES, or takes its place when readers see the variations.
local function touch_items(ids, stamp)
  for _, id in ipairs(ids) do
    local patch = redis.call('HGET', TOUCHED_PATCHES, id)
    if not patch and TOUCHED_PATCHES ~= ITEM_PATCHES then
      patch = redis.call('HGET', ITEM_PATCHES, id)
    end
    if patch or redis.call('HEXISTS', ITEMS, id) == 1 then
      redis.call('HSET', TOUCHED_PATCHES, id, stamp .. (patch and string.sub(patch, #stamp + 1) or '{}'))
    end
  end
end

-- Take along what was PATCHed of items that were not touched.
local function carry_patches(ids)
  for _, id in ipairs(ids) do
    local patch = redis.call('HGET', ITEM_PATCHES, id)
    if patch then
      redis.call('HSETNX', TOUCHED_PATCHES, id, patch)
    end
  end
end

-- Change links, move the update time of the items whose variations change, and carry what was PATCHed of others.
local function relink(added, removed, items, carried, now_ms)
  if #added > 0 then
    redis.call('ZADD', LINKS, unpack(scored(added)))
  end
  if #removed > 0 then
    redis.call('ZREM', LINKS, unpack(removed))
  end
  touch_items(items, string.format('%013d', now_ms))
  carry_patches(carried)
end
