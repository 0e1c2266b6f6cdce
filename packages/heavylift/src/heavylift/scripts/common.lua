-- Shared by all scripts. A record is the hash <base>job:<uuid>:
--   status type input max priority created retain     set by submit (input: JSON bytes)
--   inputs run_at expires                             set by submit where given (inputs: JSON list of artifacts)
--   message                                           the Celery message while it is in no list
--   attempts losses token worker started progress     set by claim and the attempt
--   output error artifacts finished ended cancel      `ended` is the token of the attempt that ended it
--   ready                                             ms of its newest return to the queue
local base = KEYS[1]
local BAND = 1e13 -- priority step * BAND + created: `queued` sorts by priority, then age

local function record(uuid) return base .. 'job:' .. uuid end

local function number(n) return string.format('%.0f', n) end

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

-- Appends {"event":name,"at":ms<extra>}. `extra` is JSON text that begins with a comma, or ''.
local function note(uuid, name, extra)
  return redis.call('RPUSH', base .. 'events:' .. uuid, '{"event":"' .. name .. '","at":' .. number(now) .. extra .. '}')
end

-- Appends an event and tells who listens.
local function event(uuid, name, extra)
  redis.call('PUBLISH', base .. 'told:' .. uuid, note(uuid, name, extra))
end

local function list_of(step) -- KEYS[2..5] are the lists of kombu's steps 0, 3, 6, 9
  return KEYS[2 + step / 3]
end

local function wake()
  if redis.call('LLEN', base .. 'wake') == 0 then redis.call('LPUSH', base .. 'wake', '1') end
end

local function waiting() -- messages in all lists, stale ones included
  local total = 0
  for i = 2, #KEYS do total = total + redis.call('LLEN', KEYS[i]) end
  return total
end

local function check_indexes(indexes)
  for _, index in ipairs(indexes) do redis.call('ZCARD', base .. index) end
end

-- Reads every key that is to be written: one of a foreign type ends the script here, where nothing is written yet.
local function check(indexes, uuid)
  waiting()
  redis.call('LLEN', base .. 'wake')
  redis.call('GET', base .. 'stale')
  check_indexes(indexes)
  if uuid then redis.call('LLEN', base .. 'events:' .. uuid) end
end

-- Counts jobs that became ready to run, for the scaling policy. A statistic never fails a job.
local function arrive(count)
  if count > 0 then redis.pcall('INCRBY', base .. 'arrived', count) end
end

local function check_leases()
  redis.call('HLEN', base .. 'leases')
  redis.call('HLEN', base .. 'beats')
end

local function score(status, step, created)
  if status == 'queued' then return number(step * BAND + created) end
  return created
end

-- Moves the uuid from one state's index to another's. The record's `status` is the caller's to set.
local function move(uuid, from, to, step, created)
  redis.call('ZREM', base .. from, uuid)
  redis.call('ZADD', base .. to, score(to, step, created), uuid)
end

-- Accepts one job from ten ARGV that follow ARGV[at]:
--   uuid, type, input, message, priority step, max attempts, run_at ms or '', expires ms or '', retention ms, inputs or ''
-- Returns 1, or 0 if it was there already (a repeated submit), and how many jobs (1 or 0) became ready to run by that.
-- The caller counts these and wakes a worker.
local JOB_FIELDS = 10

local function accept(at)
  local uuid, step, run_at, expires = ARGV[at + 1], tonumber(ARGV[at + 5]), ARGV[at + 7], ARGV[at + 8]
  if redis.call('EXISTS', record(uuid)) == 1 then return 0, 0 end
  local later = run_at ~= '' and tonumber(run_at) > now
  local status = later and 'scheduled' or 'queued'
  local fields = {
    'status', status, 'type', ARGV[at + 2], 'input', ARGV[at + 3], 'max', ARGV[at + 6],
    'priority', ARGV[at + 5], 'created', number(now), 'retain', ARGV[at + 9],
  }
  local function also(name, value)
    if value ~= '' then
      fields[#fields + 1] = name
      fields[#fields + 1] = value
    end
  end
  also('run_at', run_at)
  also('expires', expires)
  also('inputs', ARGV[at + 10])
  if later then also('message', ARGV[at + 4]) end
  redis.call('HSET', record(uuid), unpack(fields))
  redis.call('ZADD', base .. status, score(status, step, now), uuid)
  if expires ~= '' then redis.call('ZADD', base .. 'expiring', expires, uuid) end
  if later then
    redis.call('ZADD', base .. 'due', run_at, uuid)
  else
    redis.call('LPUSH', list_of(step), ARGV[at + 4])
  end
  note(uuid, status, '') -- nobody listens yet: nobody knows the job
  return 1, later and 0 or 1
end

-- Ends the job: `fields` are HSET pairs beside status and finished. Kept for its retention, then swept.
local function conclude(uuid, from, to, extra, fields)
  local facts = redis.call('HMGET', record(uuid), 'priority', 'created', 'retain', 'expires')
  move(uuid, from, to, facts[1], facts[2])
  if facts[4] then redis.call('ZREM', base .. 'expiring', uuid) end
  if from == 'queued' then redis.call('INCR', base .. 'stale') end -- its message stays until a claim skips it
  redis.call('HSET', record(uuid), 'status', to, 'finished', number(now), unpack(fields))
  redis.call('ZADD', base .. 'kept', number(now + facts[3]), uuid)
  event(uuid, to, extra)
end

-- Puts the message back where it is served next. The caller has seen to the lease.
local function requeue(uuid, from, name, extra)
  local facts = redis.call('HMGET', record(uuid), 'priority', 'created', 'message')
  redis.call('RPUSH', list_of(facts[1]), facts[3])
  redis.call('HDEL', record(uuid), 'message', 'progress')
  move(uuid, from, 'queued', facts[1], facts[2])
  redis.call('HSET', record(uuid), 'status', 'queued', 'ready', number(now))
  event(uuid, name, extra)
  wake()
  arrive(1)
end

-- A first write that changes nothing and that a full Redis does not refuse, as it then does not those that follow. A replica
-- does refuse it: one that was the master a moment ago may not know a lease, and must not tell its holder that it is lost.
local function insist_on_master()
  redis.call('DEL', base .. 'nothing')
end

local function drop_lease(uuid)
  redis.call('HDEL', base .. 'leases', uuid)
  redis.call('HDEL', base .. 'beats', uuid)
end

-- An attempt ended without a word from its code: counted as a loss, and the end once the attempts are used up.
-- `extra` is the event's JSON text, `failure` the record's error as JSON.
local function lose(uuid, extra, failure)
  redis.call('HINCRBY', record(uuid), 'losses', 1)
  local facts = redis.call('HMGET', record(uuid), 'attempts', 'max', 'cancel')
  if facts[3] then
    redis.call('HDEL', record(uuid), 'message')
    conclude(uuid, 'running', 'cancelled', extra, {})
    return 'cancelled'
  end
  if tonumber(facts[1]) >= tonumber(facts[2]) then
    conclude(uuid, 'running', 'failed', extra, failure ~= '' and {'error', failure} or {})
    return 'failed'
  end
  requeue(uuid, 'running', 'lost', extra)
  return 'queued'
end
