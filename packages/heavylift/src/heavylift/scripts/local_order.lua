-- Sets a pool's order (operations/local.py), if the writer leads and the order is still the one it has read.
-- KEYS[1] is the base. ARGV: who, pool, the order as it was read, the new one.
-- Returns 1 set, 0 the order is another by now, -1 another one leads.
if redis.call('GET', base .. 'leader') ~= ARGV[1] then return -1 end
redis.call('LLEN', base .. 'call')
if redis.call('HGET', base .. 'orders', ARGV[2]) ~= ARGV[3] then return 0 end
redis.call('HSET', base .. 'orders', ARGV[2], ARGV[4])
redis.call('DEL', base .. 'call')
redis.call('LPUSH', base .. 'call', ARGV[2])
return 1
