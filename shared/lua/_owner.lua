-- What only the owner of a partition may do.  Needs _partition.lua and _window.lua.

local function is_owner(token)
  return redis.call('HGET', LEASE, 'token') == token
end

-- Why a task of this status cannot be advanced; nil if it is the head and has not ended.
local function head_problem(task_id, status)
  if status == 'CANCELED' then
    return 'CANCELED'
  end
  local head = redis.call('XRANGE', STREAM, '-', '+', 'COUNT', 1)[1]
  if not head or head[1] ~= task_id .. '-0' then
    return 'NOT_HEAD'
  end
end

-- Answer the owner, who holds on for another while.  If it wants more, the next window comes with the answer, and
-- where nothing waits any longer the partition is given back at once.
local function answer_owner(code, lease_ttl_ms, wants_more)
  if wants_more == '1' and redis.call('XLEN', STREAM) == 0 then
    redis.call('DEL', LEASE)
    redis.call('HDEL', POSITION, 'held', 'lost')
    return {code, 'RELEASED'}
  end
  redis.call('PEXPIRE', LEASE, lease_ttl_ms)
  if wants_more ~= '1' then
    return {code, 'HELD'}
  end
  return {code, 'HELD', read_window()}
end
