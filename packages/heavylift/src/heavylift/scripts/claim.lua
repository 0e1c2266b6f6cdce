-- Takes up to `slots` jobs from the queue, in priority order, and leases each to the worker.
-- ARGV: boot token, number of the first claim, worker name, slots, jobs the worker holds, most messages to skip,
--       attempts and retention (ms) of adopted jobs whose type nobody has published,
--       ms a suspect waits before a worker runs dry for it, ms that worker stays the one without asking again,
--       ms it at least has before another one is tried, ms between two suspects' starts
-- Returns false where a drain mark (see drain.lua) keeps the worker from its jobs, 0 where it runs dry, else a list, one
-- entry a job:
--   {uuid, token, message, type, input, attempt, alone, waited}. `input` is false for an adopted message of a stock
--   producer, whose arguments are in the message; `waited` (ms) for all but a first attempt.
-- A job that was lost twice is a suspect: put aside by who holds other jobs, and taken by a worker that holds nothing, which
-- claims no more meanwhile. As long as there is a backlog, a worker of several slots always holds something. So when the
-- oldest suspect has waited too long, the first such worker that asks runs dry for it: it gets nothing until it holds
-- nothing. <base>suspects_for names it, after the time since when, and ends when it asks no more (it died, or is drained).
-- It may hold a job of hours, and others not: so another one that asks takes its place when it has had its turn, half of
-- the suspect's wait where that is longer. Turns double, so some worker is empty within its own in the end.
-- While other jobs wait, suspects start a moment apart, so that many do not take, or kill, all workers in one moment.
-- <base>suspect is the uuid of the one that has just been taken.
local boot, claim, worker = ARGV[1], tonumber(ARGV[2]), ARGV[3]
local slots, busy, skips = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local OWN = '^{"headers":{"heavylift":"[%w_.]+%-([%x%-]+)"'
local SUSPECT_LOSSES = 2

local SUSPECTS, SUSPECT, DRY_WORKER = base .. 'suspects', base .. 'suspect', base .. 'suspects_for'
local MOST_UNREADABLE = 1000
local ID, TASK, LONGEST = '^[%w._:-]+$', '^[%w%p]+$', 200

-- For a worker that may take nothing: had it taken a wake token, this gives another one to who may.
local function give_way()
  if redis.call('EXISTS', SUSPECTS, unpack(KEYS, 2)) > 0 then pcall(wake) end -- a full Redis refuses the token only
end

local mark = redis.call('HGET', base .. 'draining', worker)
local marked = mark and (tonumber(mark) or 0) > now
if marked or slots == 0 then
  give_way()
  if marked then return false end
  return {}
end

local suspects = redis.call('LLEN', SUSPECTS)
local waits = redis.call('EXISTS', unpack(KEYS, 2)) > 0
if not waits and suspects == 0 then return {} end

local function is(key, kind)
  local found = redis.call('TYPE', key).ok
  return found == kind or found == 'none'
end

-- Returns the uuid a message is about, and its task if it is a stock producer's. nil: nothing can be made of it.
local function subject(message)
  local uuid = string.match(message, OWN)
  if uuid then return uuid end
  local readable, content = pcall(cjson.decode, message)
  local headers = readable and type(content) == 'table' and content.headers
  local function plain(name, pattern)
    local value = type(headers) == 'table' and headers[name]
    return type(value) == 'string' and #value <= LONGEST and string.match(value, pattern) or nil
  end
  local id, task = plain('id', ID), plain('task', TASK)
  if id and task then return id, task end
end

-- Returns since when the oldest suspect is ready to run. Drops those before it that were cancelled while they waited.
-- One that nothing can be made of is very old: who runs dry for it puts it aside.
local function oldest_suspect()
  redis.call('GET', base .. 'stale')
  while skips > 0 do
    local message = redis.call('LINDEX', SUSPECTS, -1)
    if not message then break end
    local uuid = subject(message)
    if not uuid or not is(record(uuid), 'hash') then return 0 end
    local facts = redis.call('HMGET', record(uuid), 'status', 'ready')
    if facts[1] == 'queued' then return tonumber(facts[2]) or 0 end
    redis.call('RPOP', SUSPECTS)
    redis.call('DECR', base .. 'stale')
    skips = skips - 1
  end
  return now
end

local function one_starts()
  local started = redis.call('GET', SUSPECT)
  return started and redis.call('HEXISTS', base .. 'leases', started) == 1
end

local function runs_dry()
  if one_starts() then return false end
  local waited = now - oldest_suspect()
  if waited < tonumber(ARGV[9]) then return false end
  local since, chosen = string.match(redis.call('GET', DRY_WORKER) or '', '^(%d+):(.*)$')
  since = tonumber(since)
  if chosen ~= worker then
    local turn = math.max(tonumber(ARGV[11]), waited / 2)
    if since and now >= since and now - since < turn then return false end
    since = now
  end
  insist_on_master()
  redis.call('SET', DRY_WORKER, number(since) .. ':' .. worker, 'PX', ARGV[10])
  return true
end

if suspects > 0 and busy > 0 and runs_dry() then
  give_way()
  return 0
end
if not waits and busy > 0 then return {} end
check({'queued', 'running', 'expired', 'kept'})
check_leases()
redis.call('LLEN', base .. 'unreadable')
redis.call('GET', SUSPECT)

-- Makes a record of a stock producer's message, unless it has one (it was claimed and returned, or was sent twice).
local function adopt(uuid, task, step)
  if redis.call('EXISTS', record(uuid)) == 1 then return end
  local max, retain = string.match(redis.call('HGET', base .. 'policies', task) or '', '^(%d+) (%d+)$')
  redis.call('HSET', record(uuid), 'status', 'queued', 'type', task, 'max', max or ARGV[7], 'priority', step,
    'created', number(now), 'retain', retain or ARGV[8], 'adopted', 1)
  redis.call('ZADD', base .. 'queued', score('queued', step, now), uuid)
  event(uuid, 'queued', ',"reason":"adopted from a Celery producer"')
  arrive(1)
end

-- Returns the uuid a message is about. nil: nothing can be made of it, and it was put aside for a person to look at,
-- since at the end of its list it would stop the queue.
local function read(message, step)
  local uuid, task = subject(message)
  if not uuid or not is(record(uuid), 'hash') or not is(base .. 'events:' .. uuid, 'list') then
    redis.call('LPUSH', base .. 'unreadable', message)
    redis.call('LTRIM', base .. 'unreadable', 0, MOST_UNREADABLE - 1)
    return nil
  end
  if task then adopt(uuid, task, step) end
  return uuid
end

local function takes_suspects() return busy == 0 and not (waits and one_starts()) end

local taken = {}
local alone = false
for i = suspects > 0 and takes_suspects() and 1 or 2, #KEYS do
  local list = i == 1 and SUSPECTS or KEYS[i]
  local step = (i - 2) * 3
  while #taken < slots and skips > 0 and not alone do
    local message = redis.call('RPOP', list)
    if not message then break end
    local uuid = read(message, step)
    local job = uuid and redis.call('HMGET', record(uuid), 'status', 'type', 'input', 'attempts', 'max', 'expires', 'losses', 'started',
      'created', 'run_at')
    if not job or job[1] ~= 'queued' then -- cancelled while it waited, or a second message of one job
      if job then redis.call('DECR', base .. 'stale') end
      skips = skips - 1
    elseif job[6] and tonumber(job[6]) <= now and not job[8] then -- a later attempt has met its start deadline
      conclude(uuid, 'queued', 'expired', ',"reason":"not started before expires_at"', {})
      redis.call('DECR', base .. 'stale')
      skips = skips - 1
    elseif tonumber(job[7] or 0) >= SUSPECT_LOSSES and (#taken > 0 or not takes_suspects()) then
      redis.call('LPUSH', SUSPECTS, message) -- no token: an idle worker looks within its look interval
      skips = skips - 1
    else
      alone = tonumber(job[7] or 0) >= SUSPECT_LOSSES
      local attempt = tonumber(job[4] or 0) + 1
      local token = boot .. ':' .. number(claim)
      claim = claim + 1
      redis.call('HSET', base .. 'leases', uuid, token)
      redis.call('HSET', base .. 'beats', uuid, 0)
      redis.call('HSET', record(uuid), 'status', 'running', 'token', token, 'worker', worker, 'started', number(now),
        'attempts', attempt, 'message', message)
      if job[6] then redis.call('ZREM', base .. 'expiring', uuid) end
      move(uuid, 'queued', 'running', step, job[9])
      event(uuid, 'running', ',"attempt":' .. attempt .. ',"worker":' .. cjson.encode(worker))
      local waited = attempt == 1 and math.max(0, now - math.max(tonumber(job[9]), tonumber(job[10] or 0)))
      if alone then
        redis.call('SET', SUSPECT, uuid, 'PX', ARGV[12])
        redis.call('DEL', DRY_WORKER)
      end
      taken[#taken + 1] = {uuid, token, message, job[2], job[3], attempt, alone and 1 or 0, waited}
    end
  end
end
if redis.call('EXISTS', unpack(KEYS, 2)) == 1 then wake() end
return taken
