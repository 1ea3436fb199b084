#!lua
-- stage_chunks: append chunk frames to an upload, if it is as long as the caller believes; otherwise nothing.
--
-- KEYS[1]  upload  list  chunk frames on their way in
-- ARGV[1]  frames that were staged before
-- ARGV[2]  how long the upload may stand still, ms
-- ARGV[3…] frames
--
-- Returns 1, also if these were appended already | 0 if some are missing: the upload is lost.

local before, frames = tonumber(ARGV[1]), #ARGV - 2
local staged = redis.call('LLEN', KEYS[1])
if staged == before then
  redis.call('RPUSH', KEYS[1], unpack(ARGV, 3))
elseif staged ~= before + frames then
  return 0
end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
