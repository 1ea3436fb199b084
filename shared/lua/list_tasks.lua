#!lua flags=no-writes
-- list_tasks: a page of tasks, newest first, and how many there are of each status, as of one moment.
--
-- KEYS  the partition (_partition.lua), then
-- KEYS  EXPORTS       zset  the tasks that are exports
-- ARGV  from_ms       submitted at this moment or later, as ZCOUNT takes it
-- ARGV  up_to_ms      submitted up to this moment, likewise
-- ARGV  below         only ids below this one; '' for all
-- ARGV  offset        how many to pass over
-- ARGV  size          how many at most
-- ARGV  which         ALL | ONLY | NONE: exports
-- ARGV  with_records  1 if the records are asked for
-- ARGV  counted       statuses to count, each followed by a space
-- ARGV  statuses…     statuses to list; none: all
--
-- Returns {{how many of each status, whatever is listed}, {task ids}, {records}}.

-- include: _partition
-- include: _ranks

below, offset, size = tonumber(below), tonumber(offset), tonumber(size)

local wanted, sources = {}, {}
for i, status in ipairs(statuses) do
  wanted[status] = true
  sources[i] = BY_STATUS .. status
end
local all_statuses = #sources == 0
if all_statuses then
  sources[1] = TASKS
end

-- Exports are few: those of the time asked for are looked at one by one, newest first.
local exports, left_out, export_counts = {}, {}, {}
if which ~= 'ALL' then
  for _, member in ipairs(redis.call('ZRANGE', EXPORTS, up_to_ms, from_ms, 'BYSCORE', 'REV')) do
    local task_id = tonumber(member)
    local status = redis.call('HGET', TASK .. string.format('%d', task_id), 'status')
    if status then
      export_counts[status] = (export_counts[status] or 0) + 1
      if all_statuses or wanted[status] then
        exports[#exports + 1] = task_id
        left_out[task_id] = true
      end
    end
  end
end

local function count_statuses()
  local counts = {}
  for status in string.gmatch(counted, '(%S+) ') do
    local exported = export_counts[status] or 0
    local all = which == 'ONLY' and exported or redis.call('ZCOUNT', BY_STATUS .. status, from_ms, up_to_ms)
    counts[#counts + 1] = which == 'NONE' and all - exported or all
  end
  return counts
end

local function exports_above(bound)
  local above = 0
  while exports[above + 1] and exports[above + 1] > bound do
    above = above + 1
  end
  return above
end

-- Exports whose ids are not below that one.
local too_new = below and exports_above(below - 1) or 0

local function left_out_above(bound)
  return which == 'NONE' and math.max(0, exports_above(bound) - too_new) or 0
end

-- include: _newest_first

local function list()
  if size == 0 then
    return {}
  end
  if which == 'ONLY' then
    local first = offset + too_new
    return {unpack(exports, first + 1, first + math.min(size, math.max(0, #exports - first)))}
  end
  for i, index in ipairs(sources) do
    oldest[i] = redis.call('ZCOUNT', index, '-inf', '(' .. from_ms)
    newest[i] = redis.call('ZCOUNT', index, '-inf', up_to_ms)
  end
  if below then
    begin_at(below - 1)
  end
  if offset > 0 then
    pass_over()
  end
  return take()
end

local ids, records = list(), {}
if with_records == '1' then
  for i, task_id in ipairs(ids) do
    records[i] = redis.call('HGETALL', TASK .. string.format('%d', task_id))
  end
end
return {count_statuses(), ids, records}
