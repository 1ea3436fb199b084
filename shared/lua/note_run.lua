#!lua
-- note_run: have a catalog give out ids of the server's present run, above all those of the runs before it.
--
-- KEYS[1]  seq        string  the last task id given out
-- KEYS[2]  store_run  string  "<run id> <number>" of the run that gave it out; absent before the first
-- ARGV[1]  run id
-- ARGV[2]  its number, which no crash can take back any more
--
-- Returns OK | OTHERRUN (another has begun).  A repeat changes nothing.

-- How many ids a run has for itself in each catalog, before those of the next may begin.
local RUN_IDS = 10000

local run, number = ARGV[1], tonumber(ARGV[2])
if string.match(redis.call('INFO', 'server'), 'run_id:(%x+)') ~= run then
  return redis.error_reply('OTHERRUN ' .. run)
end
-- A catalog that nobody knows may be one that an earlier run has lost: it begins where it would be if it had been first.
local noted = redis.call('GET', KEYS[2]) or '- 1'
local before = tonumber(string.match(noted, ' (%d+)$')) or 0
if number > before then
  redis.call('INCRBY', KEYS[1], RUN_IDS * (number - before))
end
redis.call('SET', KEYS[2], run .. ' ' .. math.max(number, before))
return 'OK'
