#!lua flags=allow-oom
-- retire_tasks: delete payloads and ended tasks whose time is up, a few at a time.
--
-- KEYS  the partition (_partition.lua), then
-- KEYS  HISTORY             list    which tasks touched which entries
-- KEYS  EXPORTS             zset    the tasks that are exports
-- KEYS  RESERVED            string  memory that waiting tasks will take, over all catalogs
-- ARGV  tasks_before_ms     tasks that ended before this, ms, are removed
-- ARGV  payloads_before_ms  payloads of tasks that ended before this, ms, are removed
-- ARGV  limit               how many of each at most
--
-- Returns how many were removed; call again until 0.

-- include: _partition
-- include: _kept
-- include: _info
-- include: _reserved

-- include: _history

limit = tonumber(limit)

local payloads = redis.call('ZRANGE', PAYLOADS, '-inf', '(' .. payloads_before_ms, 'BYSCORE', 'LIMIT', 0, limit)
for _, member in ipairs(payloads) do
  drop_payload(member)
end

local tasks = redis.call('ZRANGE', ENDED, '-inf', '(' .. tasks_before_ms, 'BYSCORE', 'LIMIT', 0, limit)
for _, member in ipairs(tasks) do
  local task_id = string.format('%d', member)
  if redis.call('ZSCORE', PAYLOADS, member) then
    drop_payload(member)
  end
  local status = redis.call('HGET', TASK .. task_id, 'status')
  if status then
    redis.call('ZREM', BY_STATUS .. status, member)
  end
  redis.call('ZREM', TASKS, member)
  redis.call('ZREM', ENDED, member)
  redis.call('ZREM', OUTBOX, member)
  redis.call('ZREM', EXPORTS, member)
  redis.call('UNLINK', TASK .. task_id, REPORT .. task_id)
end
forget_lines(limit)
release_leftover()
return #payloads + #tasks
