-- Accepts jobs: record, message and first event of each, all or none.
-- ARGV[1] bound on waiting jobs (0: none); then ten a job:
--   uuid, type, input, message, priority step, max attempts, run_at ms or '', expires ms or '', retention ms, inputs or ''
-- Returns {0, waiting} when the bound is reached, else {1, flag...}: 1 created, 0 was there already (a repeated submit).
local FIELDS = 10
local count = (#ARGV - 1) / FIELDS
local bound = tonumber(ARGV[1])
check({'queued', 'scheduled', 'due'})
local fresh = count
for i = 0, count - 1 do
  local uuid = ARGV[2 + i * FIELDS]
  fresh = fresh - redis.call('HEXISTS', record(uuid), 'status')
  redis.call('LLEN', base .. 'events:' .. uuid)
end
local queued = redis.call('ZCARD', base .. 'queued')
if bound > 0 and fresh > 0 and queued + fresh > bound then return {0, queued} end

local flags = {1}
local woken = false
for i = 0, count - 1 do
  local at = 1 + i * FIELDS
  local uuid, step, run_at = ARGV[at + 1], tonumber(ARGV[at + 5]), ARGV[at + 7]
  if redis.call('EXISTS', record(uuid)) == 1 then
    flags[#flags + 1] = 0
  else
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
    also('expires', ARGV[at + 8])
    also('inputs', ARGV[at + 10])
    if later then also('message', ARGV[at + 4]) end
    redis.call('HSET', record(uuid), unpack(fields))
    redis.call('ZADD', base .. status, score(status, step, now), uuid)
    if later then
      redis.call('ZADD', base .. 'due', run_at, uuid)
    else
      redis.call('LPUSH', list_of(step), ARGV[at + 4])
      woken = true
    end
    event(uuid, status, '')
    flags[#flags + 1] = 1
  end
end
if woken then wake() end
return flags
