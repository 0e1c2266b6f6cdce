-- Queues scheduled jobs whose time has come by Redis's clock. ARGV: most jobs to release.
-- Returns {released, ms until the next is due or -1}.
check({'scheduled', 'queued', 'expired', 'kept'})
local due = redis.call('ZRANGEBYSCORE', base .. 'due', '-inf', number(now), 'LIMIT', 0, ARGV[1])
for _, uuid in ipairs(due) do
  redis.call('HLEN', record(uuid))
  redis.call('LLEN', base .. 'events:' .. uuid)
end
for _, uuid in ipairs(due) do
  redis.call('ZREM', base .. 'due', uuid)
  local facts = redis.call('HMGET', record(uuid), 'status', 'priority', 'created', 'message', 'expires')
  if facts[1] == 'scheduled' then
    redis.call('HDEL', record(uuid), 'message')
    if facts[5] and tonumber(facts[5]) <= now then
      conclude(uuid, 'scheduled', 'expired', ',"reason":"not started before expires_at"', {})
    else
      redis.call('LPUSH', list_of(facts[2]), facts[4])
      move(uuid, 'scheduled', 'queued', facts[2], facts[3])
      redis.call('HSET', record(uuid), 'status', 'queued')
      event(uuid, 'queued', '')
      wake()
    end
  end
end
local next_due = redis.call('ZRANGE', base .. 'due', 0, 0, 'WITHSCORES')
return {#due, next_due[2] and math.max(0, tonumber(next_due[2]) - now) or -1}
