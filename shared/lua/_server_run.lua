-- Which run of the server this is: another one after each start of it, and each time that it becomes master.

-- A process that was a replica in between keeps its run id, and may have missed what another master gave out meanwhile.
-- The id of its history changes whenever it takes over; it also does where the first replica comes, or the last one went
-- an hour ago, which does no harm.
local function server_run()
  local info = redis.call('INFO', 'server', 'replication')
  local process, history = string.match(info, 'run_id:(%x+)'), string.match(info, 'master_replid:(%x+)')
  return string.sub(process or '', 1, 20) .. string.sub(history or '', 1, 20)
end
