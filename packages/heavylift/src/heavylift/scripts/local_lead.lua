-- Takes or keeps the lead over this machine's workers (operations/local.py). KEYS[1] is the base of its keys.
-- ARGV: who, ms to lead for; 0 ms: it gives up the lead.
-- Returns 2 it leads from now on, 1 it led before, 0 another one does.
local leader = redis.call('GET', base .. 'leader')
if leader and leader ~= ARGV[1] then return 0 end
if ARGV[2] == '0' then return redis.call('DEL', base .. 'leader') end
redis.call('SET', base .. 'leader', ARGV[1], 'PX', ARGV[2])
return leader and 1 or 2
