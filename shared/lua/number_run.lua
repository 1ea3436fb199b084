#!lua
-- number_run: give a run of the server its number, higher than those of all runs that had one before.
--
-- KEYS[1]  store_runs  hash  run id → number; last: the highest; asked: how often one was asked for
-- ARGV[1]  run id
--
-- Returns its number; a run that has one keeps it.

local number = redis.call('HGET', KEYS[1], ARGV[1])
if not number then
  number = redis.call('HINCRBY', KEYS[1], 'last', 1)
  redis.call('HSET', KEYS[1], ARGV[1], number)
end
-- Written in any case: who waits for the log after this has then waited for the number.
redis.call('HINCRBY', KEYS[1], 'asked', 1)
return tonumber(number)
