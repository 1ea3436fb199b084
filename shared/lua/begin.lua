#!lua flags=allow-oom
-- begin: mark the head as IN_PROGRESS; it can no longer be canceled.
-- Its step in tests/model/protocol.pml: begin.
--
-- KEYS  the partition (_partition.lua)
-- ARGV  token         the owner's fencing token
-- ARGV  task_id       the head
-- ARGV  now_ms
-- ARGV  lease_ttl_ms
--
-- Returns OK, also for a task already begun | FENCED | CANCELED | NOT_HEAD.

-- include: _partition
-- include: _window
-- include: _owner

if not is_owner(token) then
  return 'FENCED'
end
local status = redis.call('HGET', TASK .. task_id, 'status')
local problem = head_problem(task_id, status)
if problem then
  return problem
end
redis.call('PEXPIRE', LEASE, lease_ttl_ms)
if status == 'QUEUED' then
  set_status(task_id, 'QUEUED', 'IN_PROGRESS')
  redis.call('HSET', TASK .. task_id, 'started_ms', now_ms, 'updated_ms', now_ms)
end
return 'OK'
