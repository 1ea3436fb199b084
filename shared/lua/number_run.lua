#!lua flags=allow-oom
-- number_run: give a run of the server its number, higher than those of all runs that had one before, also of those that
-- the store has lost; and note that the store is alive.
-- Its step in tests/model/runs.pml: number_run.
--
-- The store may be a copy that was put back, or a replica that never heard of its master's last words: runs that it knows
-- nothing of may have given out ids since.  They had at most the time since the store was last alive, as far as it knows.
--
-- KEYS  STORE_RUNS  hash  run id → number; last: the highest; asked: how often one was asked for; alive_ms: when last
-- ARGV  run_id      '' for the run of the server that has this hash
--
-- Returns its number; a run that has one keeps it.

-- include: _info
-- include: _server_run

-- A catalog has 10,000 ids for each number (_submission.lua), and a number for each second that may be lost, up to a
-- minute: no catalog gives out so many.  One that is lost for longer gives out 50 a second in the mean, or fewer.
local FULL_SPEED_S = 60
local IN_THE_MEAN = 0.005
-- In any case so much, for clocks that differ.  Not more: of a run that began and ended in between nothing is known.
local AT_LEAST = 0.5

local run = run_id ~= '' and run_id or server_run()
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
local alive_ms = tonumber(redis.call('HGET', STORE_RUNS, 'alive_ms')) or now_ms

local number = redis.call('HGET', STORE_RUNS, run)
if not number then
  local last = tonumber(redis.call('HGET', STORE_RUNS, 'last'))
  local lost_s = last and math.max(0, now_ms - alive_ms) / 1000 or 0
  -- A fraction counts as well: of two runs that know nothing of each other, the later one has the higher number.
  local further = last and AT_LEAST + math.min(lost_s, FULL_SPEED_S) + lost_s * IN_THE_MEAN or 1
  number = string.format('%.10g', (last or 0) + further)
  redis.call('HSET', STORE_RUNS, run, number, 'last', number)
end
redis.call('HSET', STORE_RUNS, 'alive_ms', string.format('%d', math.max(now_ms, alive_ms)))
-- Written in any case: who waits for the log after this has then waited for the number.
redis.call('HINCRBY', STORE_RUNS, 'asked', 1)
return number
