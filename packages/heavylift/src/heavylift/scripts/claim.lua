-- Takes up to `slots` jobs from the queue, in priority order, and leases each to the worker.
-- ARGV: boot token, number of the first claim, worker name, slots, jobs the worker holds, most messages to skip,
--       attempts and retention (ms) of adopted jobs
-- Returns a list, one entry a job: {uuid, token, message, type, input, attempt, alone}. `input` is false for an adopted
-- message of a stock producer, whose arguments are in the message.
-- A job that was lost twice is taken only by a worker that holds nothing, alone: that worker claims no more meanwhile.
local boot, claim, worker = ARGV[1], tonumber(ARGV[2]), ARGV[3]
local slots, busy, skips = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local OWN = '^{"headers":{"heavylift":"[%w_.]+%-([%x%-]+)"'
local SUSPECT_LOSSES = 2

if redis.call('EXISTS', unpack(KEYS, 2)) == 0 then return {} end
check({'queued', 'running', 'expired', 'kept'})
check_leases()
redis.call('LLEN', base .. 'unreadable')

local function is(key, kind)
  local found = redis.call('TYPE', key).ok
  return found == kind or found == 'none'
end

-- Makes a record of a stock producer's message, unless it has one (it was claimed and returned, or was sent twice).
local function adopt(uuid, task, step)
  if redis.call('EXISTS', record(uuid)) == 1 then return end
  redis.call('HSET', record(uuid), 'status', 'queued', 'type', task, 'max', ARGV[7], 'priority', step,
    'created', number(now), 'retain', ARGV[8], 'adopted', 1)
  redis.call('ZADD', base .. 'queued', score('queued', step, now), uuid)
  event(uuid, 'queued', ',"reason":"adopted from a Celery producer"')
end

-- Returns the uuid a message is about. nil: nothing can be made of it, and it was put aside for a person to look at,
-- since at the end of its list it would stop the queue.
local function read(message, step)
  local uuid, task = string.match(message, OWN), nil
  if not uuid then
    local readable, content = pcall(cjson.decode, message)
    local headers = readable and type(content) == 'table' and content.headers
    if type(headers) == 'table' and type(headers.task) == 'string' and type(headers.id) == 'string' then
      uuid, task = headers.id, headers.task
    end
  end
  if not uuid or not is(record(uuid), 'hash') or not is(base .. 'events:' .. uuid, 'list') then
    redis.call('LPUSH', base .. 'unreadable', message)
    return nil
  end
  if task then adopt(uuid, task, step) end
  return uuid
end

local taken = {}
local alone = false
for i = 2, #KEYS do
  local step = (i - 2) * 3
  while #taken < slots and skips > 0 and not alone do
    local message = redis.call('RPOP', KEYS[i])
    if not message then break end
    local uuid = read(message, step)
    local job = uuid and redis.call('HMGET', record(uuid), 'status', 'type', 'input', 'attempts', 'max', 'expires', 'losses', 'started')
    if not job or job[1] ~= 'queued' then -- cancelled while it waited, or a second message of one job
      skips = skips - 1
    elseif job[6] and tonumber(job[6]) <= now and not job[8] then -- a later attempt has met its start deadline
      conclude(uuid, 'queued', 'expired', ',"reason":"not started before expires_at"', {})
      skips = skips - 1
    elseif tonumber(job[7] or 0) >= SUSPECT_LOSSES and busy + #taken > 0 then
      redis.call('RPUSH', KEYS[i], message)
      return taken -- no token: the next job that ends pushes one, and an idle worker looks within its look interval
    else
      alone = tonumber(job[7] or 0) >= SUSPECT_LOSSES
      local attempt = tonumber(job[4] or 0) + 1
      local token = boot .. ':' .. number(claim)
      claim = claim + 1
      redis.call('HSET', base .. 'leases', uuid, token)
      redis.call('HSET', base .. 'beats', uuid, 0)
      redis.call('HSET', record(uuid), 'status', 'running', 'token', token, 'worker', worker, 'started', number(now),
        'attempts', attempt, 'message', message)
      local created = redis.call('HGET', record(uuid), 'created')
      move(uuid, 'queued', 'running', step, created)
      event(uuid, 'running', ',"attempt":' .. attempt .. ',"worker":' .. cjson.encode(worker))
      taken[#taken + 1] = {uuid, token, message, job[2], job[3], attempt, alone and 1 or 0}
    end
  end
end
if redis.call('EXISTS', unpack(KEYS, 2)) == 1 then wake() end
return taken
