-- Reads what the scaling policy must know of a queue. Writes nothing.
-- Returns {now ms, waiting, ms since the oldest became ready to run, arrived, served as field, count pairs,
--   rows {uuid, type, worker, ms since its attempt began} of the running jobs,
--   marks in force as worker, ms left pairs, highest epoch that wrote}
-- A broken statistic is an empty one; any other key of a foreign type fails the script.
local MOST_LOOKED_AT = 50 -- of the first jobs of a priority: those that were put back are older than their waiting

local queued = redis.call('ZCARD', base .. 'queued')
local stale = tonumber(redis.call('GET', base .. 'stale') or 0) or 0
local unadopted = waiting() + redis.call('LLEN', base .. 'suspects') - stale - queued

-- When the job of this priority that is ready for longest became so. The index sorts by creation: from the first job on
-- that was not put back, none can have been ready earlier.
local function ready_since(step)
  local first
  for i = 0, MOST_LOOKED_AT - 1 do
    local found = redis.call('ZRANGEBYSCORE', base .. 'queued', number(step * BAND), number((step + 1) * BAND - 1), 'WITHSCORES',
      'LIMIT', i, 1)
    if not found[1] then break end
    local created = tonumber(found[2]) - step * BAND
    if first and created >= first then break end
    local ready = tonumber(redis.call('HGET', record(found[1]), 'ready'))
    first = math.min(first or math.huge, ready or created)
  end
  return first
end

local since = now
for step = 0, 9, 3 do since = math.min(since, ready_since(step) or now) end

local running = {}
local leases = redis.call('HKEYS', base .. 'leases')
for i, uuid in ipairs(leases) do
  local facts = redis.call('HMGET', record(uuid), 'type', 'worker', 'started')
  running[i] = {uuid, facts[1] or '', facts[2] or '', math.max(0, now - (tonumber(facts[3]) or now))}
end

local marks, epoch = {}, 0
local draining = redis.call('HGETALL', base .. 'draining')
for i = 1, #draining, 2 do
  local value = tonumber(draining[i + 1]) or 0
  if draining[i] == '' then
    epoch = value
  elseif value > now then
    marks[#marks + 1] = draining[i]
    marks[#marks + 1] = value - now
  end
end

local arrived = redis.pcall('GET', base .. 'arrived')
local served = redis.pcall('HGETALL', base .. 'served')
return {
  now, queued + math.max(0, unadopted), now - since, type(arrived) == 'string' and tonumber(arrived) or 0,
  served.err and {} or served, running, marks, epoch,
}
