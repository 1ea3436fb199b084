#!lua flags=allow-oom
-- begin: mark the head as being worked on; from now on it can no longer be canceled.
-- Its step in tests/model/protocol.pml: begin.
--
-- KEYS     the partition, see _partition.lua
-- ARGV[1]  token
-- ARGV[2]  task id
-- ARGV[3]  now, ms
-- ARGV[4]  lease TTL, ms
--
-- Returns OK, also for a task already begun | FENCED | CANCELED | NOT_HEAD.

-- include: _partition
-- include: _window
-- include: _owner

local token, task_id, now_ms, lease_ttl_ms = ARGV[1], ARGV[2], ARGV[3], ARGV[4]

if not is_owner(token) then
  return 'FENCED'
end
local status, problem = head_status(task_id)
if not status then
  return problem
end
redis.call('PEXPIRE', LEASE, lease_ttl_ms)
if status == 'QUEUED' then
  set_status(task_id, 'QUEUED', 'IN_PROGRESS')
  redis.call('HSET', TASK .. task_id, 'started_ms', now_ms, 'updated_ms', now_ms)
end
return 'OK'
