-- Sets or removes a recurring job. ARGV: name, definition as JSON ('' removes it), ms of its next run, '1' to set it only
-- where there is none of this name.
-- Returns 1 if it was there before.
local name, definition, keep = ARGV[1], ARGV[2], ARGV[4] == '1'
redis.call('ZCARD', base .. 'recurring')
local known = redis.call('HEXISTS', base .. 'schedules', name)
if keep and known == 1 then return known end
redis.call('ZREM', base .. 'recurring', name) -- first of all, since Redis never refuses it
if definition == '' then
  redis.call('HDEL', base .. 'schedules', name)
else
  redis.call('HSET', base .. 'schedules', name, definition)
  redis.call('ZADD', base .. 'recurring', ARGV[3], name)
end
return known
