-- Queues scheduled jobs whose time has come by Redis's clock, and ends those that were to start by now. ARGV: most of each.
-- Returns {jobs changed, ms until the next or -1}; a waiting job's message stays and is skipped when claimed.
check({'scheduled', 'queued', 'expired', 'kept'})

local function over(index)
  local uuids = redis.call('ZRANGEBYSCORE', base .. index, '-inf', number(now), 'LIMIT', 0, ARGV[1])
  for _, uuid in ipairs(uuids) do
    redis.call('HLEN', record(uuid))
    redis.call('LLEN', base .. 'events:' .. uuid)
  end
  return uuids
end

local expired, due = over('expiring'), over('due')
local changed, released = 0, 0
for _, uuid in ipairs(expired) do
  redis.call('ZREM', base .. 'expiring', uuid)
  local status = redis.call('HGET', record(uuid), 'status')
  local started = redis.call('HEXISTS', record(uuid), 'started') == 1 -- it waits for another attempt: it has met its time
  if (status == 'queued' or status == 'scheduled') and not started then
    redis.call('ZREM', base .. 'due', uuid)
    redis.call('HDEL', record(uuid), 'message')
    conclude(uuid, status, 'expired', ',"reason":"not started before expires_at"', {})
    changed = changed + 1
  end
end
for _, uuid in ipairs(due) do
  redis.call('ZREM', base .. 'due', uuid)
  local facts = redis.call('HMGET', record(uuid), 'status', 'priority', 'created', 'message')
  if facts[1] == 'scheduled' then
    redis.call('HDEL', record(uuid), 'message')
    redis.call('LPUSH', list_of(facts[2]), facts[4])
    move(uuid, 'scheduled', 'queued', facts[2], facts[3])
    redis.call('HSET', record(uuid), 'status', 'queued', 'ready', number(now))
    event(uuid, 'queued', '')
    wake()
    released = released + 1
  end
end
arrive(released)
local next_ms = -1
for _, index in ipairs({'due', 'expiring'}) do
  local first = redis.call('ZRANGE', base .. index, 0, 0, 'WITHSCORES')
  if first[2] then
    local left = math.max(0, tonumber(first[2]) - now)
    next_ms = next_ms < 0 and left or math.min(next_ms, left)
  end
end
return {changed + released, next_ms}
