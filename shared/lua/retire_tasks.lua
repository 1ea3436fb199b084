#!lua flags=allow-oom
-- retire_tasks: let go of payloads and of ended tasks whose time is up, a few at a time.
--
-- KEYS      the partition, see _partition.lua, then
-- KEYS[21]  history  list  which tasks touched which entries
-- KEYS[22]  exports  zset  the tasks that are exports
-- ARGV[1]  tasks that ended before this, ms, are removed
-- ARGV[2]  payloads of tasks that ended before this, ms, are removed
-- ARGV[3]  how many of each at most
--
-- Returns how many were removed; call again until 0.

-- include: _partition
-- include: _kept

local HISTORY, EXPORTS = KEYS[21], KEYS[22]

-- include: _history

local limit = tonumber(ARGV[3])

local payloads = redis.call('ZRANGE', PAYLOADS, '-inf', '(' .. ARGV[2], 'BYSCORE', 'LIMIT', 0, limit)
for _, member in ipairs(payloads) do
  drop_payload(member)
end

local tasks = redis.call('ZRANGE', ENDED, '-inf', '(' .. ARGV[1], 'BYSCORE', 'LIMIT', 0, limit)
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
return #payloads + #tasks
