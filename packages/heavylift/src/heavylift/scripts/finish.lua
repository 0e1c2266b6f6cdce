-- Ends an attempt, if the caller still holds the job's lease.
-- ARGV: uuid, token, outcome, output or '', error or '', artifacts or '', event text, delay ms, Flower's channel or '', its message,
--       1 if the attempt's length tells how long such jobs take
--   outcome: succeeded | failed | cancelled   the job ends
--            retrying                         again after the delay, or failed when the attempts are used up
--            lost                             the child died: again at once, or failed when the attempts are used up
--            released                         back to the queue (after the delay), this attempt is not counted
--   event text: JSON text that begins with a comma (attempt, worker, reason, data)
-- Returns {1, status} when done now, {2, status} when this token had done it before (a repeated call), {0, status} when
-- the lease is another's: nothing was written.
local uuid, token, outcome = ARGV[1], ARGV[2], ARGV[3]
local output, failure, artifacts, extra, delay = ARGV[4], ARGV[5], ARGV[6], ARGV[7], tonumber(ARGV[8])

local facts = redis.call('HMGET', record(uuid), 'status', 'ended', 'attempts', 'max', 'cancel', 'priority', 'created', 'type',
  'started', 'expires')
if redis.call('HGET', base .. 'leases', uuid) ~= token then
  insist_on_master()
  return {facts[2] == token and 2 or 0, facts[1] or ''}
end
if not facts[1] then -- no record: somebody deleted keys by hand
  drop_lease(uuid)
  redis.call('ZREM', base .. 'running', uuid)
  return {0, ''}
end

-- Counts an attempt that ended by itself in its bucket, a fourth of an octave wide from 10 ms on: what bucket() in the
-- scaling policy's service_times.py says. By mantissa and exponent, so that whole octaves are exact.
local function count_served()
  local mantissa, exponent = math.frexp(math.max(now - (tonumber(facts[9]) or now), 10) / 10)
  local octaves = exponent - 1 + math.log(2 * mantissa) / math.log(2)
  redis.pcall('HINCRBY', base .. 'served', facts[8] .. ' ' .. number(math.floor(4 * octaves)), 1)
end

local undecided = outcome == 'retrying' or outcome == 'released'
if undecided and facts[5] then
  outcome = 'cancelled'
elseif outcome == 'retrying' and tonumber(facts[3]) >= tonumber(facts[4]) then
  outcome = 'failed'
end

-- As check(), but for what this outcome needs alone: it is most of what an end costs.
local INDEXES = {
  lost = {'queued', 'failed', 'cancelled', 'kept'}, retrying = {'scheduled', 'due'}, released = {'queued', 'scheduled', 'due'},
}
local suspects = redis.call('LLEN', base .. 'suspects') > 0
check_indexes(INDEXES[outcome] or {outcome, 'kept'})
redis.call('ZCARD', base .. 'running')
if facts[10] then redis.call('ZCARD', base .. 'expiring') end
if outcome == 'lost' or outcome == 'released' then waiting() end
if outcome == 'lost' or outcome == 'released' or suspects then redis.call('LLEN', base .. 'wake') end
redis.call('HLEN', base .. 'beats')
redis.call('LLEN', base .. 'events:' .. uuid)

drop_lease(uuid)
local status = outcome
if outcome == 'lost' then
  status = lose(uuid, extra, failure)
elseif outcome == 'retrying' or outcome == 'released' then
  if outcome == 'released' and redis.call('HINCRBY', record(uuid), 'attempts', -1) == 0 then
    redis.call('HDEL', record(uuid), 'started') -- no attempt was begun: its start deadline holds again
    if facts[10] then redis.call('ZADD', base .. 'expiring', facts[10], uuid) end
  end
  if outcome == 'released' and delay == 0 then
    requeue(uuid, 'running', 'released', extra)
    status = 'queued'
  else
    redis.call('HDEL', record(uuid), 'progress')
    move(uuid, 'running', 'scheduled', facts[6], facts[7])
    redis.call('HSET', record(uuid), 'status', 'scheduled')
    if failure ~= '' then redis.call('HSET', record(uuid), 'error', failure) end
    redis.call('ZADD', base .. 'due', number(now + delay), uuid)
    event(uuid, outcome, extra)
    status = 'scheduled'
  end
else
  local fields = {}
  for name, value in pairs({output = output, error = failure, artifacts = artifacts}) do
    if value ~= '' then
      fields[#fields + 1] = name
      fields[#fields + 1] = value
    end
  end
  if outcome == 'succeeded' then
    redis.call('HDEL', record(uuid), 'message', 'error') -- the error is of an earlier attempt
  elseif outcome == 'cancelled' then
    redis.call('HDEL', record(uuid), 'message') -- a failed job keeps it for replay
  end
  conclude(uuid, 'running', outcome, extra, fields)
end
redis.call('HSET', record(uuid), 'ended', token)
if suspects then wake() end -- it waits for a worker that holds nothing, as one may now
if ARGV[11] == '1' and (outcome == 'succeeded' or outcome == 'failed' or outcome == 'retrying') then count_served() end
if ARGV[9] ~= '' then redis.call('PUBLISH', ARGV[9], ARGV[10]) end
return {1, status}
