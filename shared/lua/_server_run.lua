-- Which run of the server this is: another one after each start of it, and each time that it becomes master.

-- A process that was a replica in between keeps its run id, and may have missed what another master gave out meanwhile.
-- Since then it has a second id, that of the history it took over, and the first is new each time.  It forgets the second
-- when it has been without replicas for an hour.  A backup that is taken as by a replica makes the first one new, too, but
-- not the second: so nobody is told that the server is another one.
local function server_run()
  local info = redis.call('INFO', 'server', 'replication')
  local process = info_field(info, 'run_id') or ''
  local history, taken_over = info_field(info, 'master_replid'), info_field(info, 'master_replid2')
  if string.find(taken_over or '', '[^0]') then
    return string.sub(process, 1, 20) .. string.sub(history, 1, 20)
  end
  return process
end
