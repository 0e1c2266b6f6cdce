-- Keeps what the scaling policy must not forget. KEYS[1] is the hash pool -> memory; '' -> the highest epoch that wrote.
-- ARGV: epoch, and pool, memory unless only older leaders are to write no more.
-- Returns 1 kept, 0 a higher epoch has written: nothing was done.
if tonumber(redis.call('HGET', KEYS[1], '') or 0) > tonumber(ARGV[1]) then return 0 end
insist_on_master()
redis.call('HSET', KEYS[1], '', unpack(ARGV))
return 1
