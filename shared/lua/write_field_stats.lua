#!lua
-- write_field_stats: keep what was counted of a section, unless the catalog was deleted meanwhile.
--
-- KEYS  FIELD_STATS  hash    section → its statistics
-- KEYS  SEQ          string  there as long as the catalog is
-- ARGV  section      '' to note up to which commit all sections are counted
-- ARGV  record
--
-- Returns 1 | 0: the catalog is gone.

if redis.call('EXISTS', SEQ) == 0 then
  return 0
end
redis.call('HSET', FIELD_STATS, section, record)
return 1
