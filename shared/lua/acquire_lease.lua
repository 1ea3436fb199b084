#!lua flags=allow-oom
-- acquire_lease: become the owner of a partition that has a backlog and no owner, and get its first work.
-- Its step in tests/model/protocol.pml: acquire_lease.
--
-- An owner that neither moved on nor gave the partition back must have died: that is a stall of the batch at hand, and
-- windows are careful up to where that owner had reached.  If the server died meanwhile, that is no batch's fault.
--
-- KEYS     the partition, see _partition.lua
-- ARGV[1]  nonce of this call; a repeat gets the same token
-- ARGV[2]  holder, for people to read
-- ARGV[3]  lease TTL, ms
-- ARGV[4]  stalls at which a task that has begun to be applied is left to an operator
--
-- Returns {ACQUIRED, token, last commit, stalls, window} | {OWNED} | {EMPTY} | {STUCK}.

-- include: _partition
-- include: _window

local nonce, holder, lease_ttl_ms, max_stalls = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])

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
  if stalls >= max_stalls then
    local status = redis.call('HMGET', TASK .. string.match(head[1], '^%d+'), 'chunks_done', 'page', 'builds')
    -- What builds a generation can fail until that takes its place, and then it has ended.
    if not status[3] and ((tonumber(status[1]) or 0) > 0 or (tonumber(status[2]) or 0) > 0) then
      redis.call('HSET', POSITION, 'stuck', 1)
      return {'STUCK'}
    end
  end
  token = redis.call('INCR', FENCE) .. ':' .. nonce
  redis.call('HSET', LEASE, 'token', token, 'holder', holder)
  redis.call('HSET', POSITION, 'held', token, 'run', run_now)
  redis.call('HDEL', POSITION, 'stuck')
  redis.call('DEL', RUNG)
end
redis.call('PEXPIRE', LEASE, lease_ttl_ms)
return {'ACQUIRED', token, applied, stalls, read_window()}
