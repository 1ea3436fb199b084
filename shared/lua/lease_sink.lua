#!lua flags=allow-oom
-- lease_sink: become the only one who delivers to a sink, or stay it for another while.
--
-- KEYS  SINKS         hash  name → JSON
-- KEYS  LEASE         hash  {token, holder}; absent while nobody delivers
-- KEYS  RUNG          string  a job is on its way
-- ARGV  name          of the sink
-- ARGV  token         nonce of this lease; a repeat extends it
-- ARGV  holder        holder, for people to read
-- ARGV  lease_ttl_ms
--
-- Returns {HELD, the sink's JSON} | {OWNED} | {GONE}.

-- include: _lease

local sink = redis.call('HGET', SINKS, name)
if not sink then
  redis.call('DEL', LEASE, RUNG)
  return {'GONE'}
end
if redis.call('EXISTS', LEASE) == 1 and not is_held(LEASE, token) then
  return {'OWNED'}
end
take_lease(LEASE, token, holder, lease_ttl_ms)
redis.call('DEL', RUNG)
return {'HELD', sink}
