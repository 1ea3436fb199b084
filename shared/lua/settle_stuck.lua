#!lua flags=allow-oom
-- settle_stuck: carry out an operator's decision about the task at which a partition is stuck.
--
-- KEYS  the partition (_partition.lua), then
-- KEYS  RESERVED        string  memory that waiting tasks will take, over all catalogs
-- ARGV  nonce           names this call; a repeat gets the first answer
-- ARGV  decision        RETRY: its workers get as many attempts as at first | SKIP: it ends as FAILED, what was applied stays
-- ARGV  who             who decides
-- ARGV  now_ms
-- ARGV  nonce_ttl_ms    how long the nonce is kept
-- ARGV  kept_cap_bytes  cap of the payload bytes kept for audit
-- ARGV  message         error message of a task that is skipped, to be followed by what was applied
--
-- Returns {SETTLED, task id} | {NOT_STUCK, 0}.

-- include: _partition
-- include: _kept
-- include: _info
-- include: _reserved
-- include: _end
-- include: _repeats

local repeated = earlier_answer(nonce, nonce_ttl_ms, '')
if repeated then
  return {'SETTLED', tonumber(repeated)}
end
local head = redis.call('XRANGE', STREAM, '-', '+', 'COUNT', 1)[1]
if not head or redis.call('HEXISTS', POSITION, 'stuck') == 0 then
  return {'NOT_STUCK', 0}
end
local task_id = string.match(head[1], '^%d+')
local record = TASK .. task_id

redis.call('HDEL', POSITION, 'stuck', 'held', 'lost')
if decision == 'RETRY' then
  redis.call('HSET', record, 'retried_by', who)
else
  local status, done, entries, page = unpack(redis.call('HMGET', record, 'status', 'entries_done', 'entries', 'page'))
  local applied = string.format('%s of %s entries', done or '0', entries)
  if (tonumber(page) or 0) > 0 then
    applied = applied .. ', and of those that come next some variations are deleted'
  end
  redis.call('HSET', record, 'skipped_by', who, 'error', message .. applied)
  end_task(task_id, status, 'FAILED', now_ms, tonumber(kept_cap_bytes))
end
note_answer(nonce, task_id, nonce_ttl_ms)
return {'SETTLED', tonumber(task_id)}
