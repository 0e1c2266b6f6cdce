-- Takes or keeps the lead over this machine's workers (operations/local.py). KEYS[1] is the base of its keys.
-- ARGV: who, ms to lead for.
-- Returns 2 it leads from now on, 1 it leads on, 0 another one does.
local leader = redis.call('GET', base .. 'leader')
if leader and leader ~= ARGV[1] then return 0 end
redis.call('SET', base .. 'leader', ARGV[1], 'PX', ARGV[2])
return leader and 1 or 2
