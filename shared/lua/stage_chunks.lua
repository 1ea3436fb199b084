#!lua
-- stage_chunks: append chunk frames to an upload, if it is as long as the caller believes; otherwise nothing.
--
-- KEYS  UPLOAD         list  chunk frames on their way in
-- ARGV  staged         frames that were staged before
-- ARGV  upload_ttl_ms  how long the upload may stand still
-- ARGV  frames…        those to append
--
-- Returns 1, also if these were appended already | 0 if some are missing: the upload is lost.

local length = redis.call('LLEN', UPLOAD)
if length == tonumber(staged) then
  redis.call('RPUSH', UPLOAD, unpack(frames))
elseif length ~= staged + #frames then
  return 0
end
redis.call('PEXPIRE', UPLOAD, upload_ttl_ms)
return 1
