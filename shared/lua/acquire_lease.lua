#!lua flags=allow-oom
-- acquire_lease: become the owner of a partition that has a backlog and no owner, and get its first work.
-- Its step in tests/model/protocol.pml: acquire_lease.
--
-- An owner that neither moved on nor gave the partition back must have died: that is a stall of the batch at hand, and
-- windows are careful up to where that owner had reached.  If the server died meanwhile, that is no batch's fault.
--
-- KEYS  the partition (_partition.lua)
-- ARGV  nonce         nonce of this call; a repeat gets the same token
-- ARGV  holder        holder, for people to read
-- ARGV  lease_ttl_ms
-- ARGV  max_stalls    stalls at which a task that has begun to be applied is left to an operator
--
-- Returns {ACQUIRED, token, last commit, stalls, window} | {OWNED} | {EMPTY} | {STUCK}.

-- include: _partition
-- include: _info
-- include: _server_run
-- include: _window
-- include: _lease

local head = redis.call('XRANGE', STREAM, '-', '+', 'COUNT', 1)[1]
if not head then
  redis.call('DEL', RUNG)
  return {'EMPTY'}
end
local token = redis.call('HGET', LEASE, 'token')
local repeated = token and string.match(token, ':(.*)$') == nonce
if token and not repeated then
  return {'OWNED'}
end

local applied, held, run, lost, reach, careful = unpack(redis.call('HMGET', POSITION, 'applied', 'held', 'run', 'lost',
  'reach', 'careful'))
applied, lost = applied or '', lost or ''
local run_now = repeated and run or server_run()
if held and run == run_now and not repeated then
  lost = lost .. held .. ' '
  redis.call('HSET', POSITION, 'lost', lost, 'careful', math.max(tonumber(reach), tonumber(careful) or 0))
  redis.call('HDEL', POSITION, 'held')
end
local _, stalls = string.gsub(lost, ' ', ' ')
if not repeated then
  if stalls >= tonumber(max_stalls) then
    local status = redis.call('HMGET', TASK .. string.match(head[1], '^%d+'), 'chunks_done', 'page', 'builds')
    -- A task that builds a generation can fail at any time: readers see nothing of it until its last commit, which ends it.
    if not status[3] and ((tonumber(status[1]) or 0) > 0 or (tonumber(status[2]) or 0) > 0) then
      redis.call('HSET', POSITION, 'stuck', 1)
      return {'STUCK'}
    end
  end
  token = redis.call('INCR', FENCE) .. ':' .. nonce
  take_lease(LEASE, token, holder, lease_ttl_ms)
  redis.call('HSET', POSITION, 'held', token, 'run', run_now)
  redis.call('HDEL', POSITION, 'stuck')
  redis.call('DEL', RUNG)
end
redis.call('PEXPIRE', LEASE, lease_ttl_ms)
return {'ACQUIRED', token, applied, stalls, read_window()}
