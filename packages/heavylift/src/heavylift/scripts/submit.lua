-- Accepts jobs: record, message and first event of each.
-- ARGV[1] bound on waiting and scheduled jobs (0: none), ARGV[2] `all` (all or none) or `each` (in order, while there are places);
-- then the ten fields of each job (see accept in common.lua).
-- Returns {0, waiting} when the bound is reached for `all`, else {now, flag...}: 1 created, 0 was there already (a repeated
-- submit), 2 no place was left.
local HEAD = 2
local count = (#ARGV - HEAD) / JOB_FIELDS
local bound = tonumber(ARGV[1])

-- As check(), but for what these jobs need alone: it is most of what a submit costs.
local empty = redis.call('EXISTS', unpack(KEYS, 2)) == 0
local queued = redis.call('ZCARD', base .. 'queued') + redis.call('ZCARD', base .. 'scheduled')
local token = redis.call('LLEN', base .. 'wake') > 0
local checked = {}
local function check_once(command, key)
  if not checked[key] then redis.call(command, key) end
  checked[key] = true
end
local fresh = count
for i = 0, count - 1 do
  local at = HEAD + i * JOB_FIELDS
  local uuid = ARGV[at + 1]
  check_once('LLEN', list_of(ARGV[at + 5]))
  if ARGV[at + 7] ~= '' then check_once('ZCARD', base .. 'due') end
  if ARGV[at + 8] ~= '' then check_once('ZCARD', base .. 'expiring') end
  if redis.call('EXISTS', record(uuid), base .. 'events:' .. uuid) > 0 then
    fresh = fresh - redis.call('HEXISTS', record(uuid), 'status')
    redis.call('LLEN', base .. 'events:' .. uuid)
  end
end
local places = bound > 0 and bound - queued or math.huge
if ARGV[2] == 'all' and fresh > 0 and fresh > places then return {0, queued} end

local flags, arrived = {now}, 0
for i = 0, count - 1 do
  local at = HEAD + i * JOB_FIELDS
  local flag, ready = 2, 0
  if places > 0 or redis.call('EXISTS', record(ARGV[at + 1])) == 1 then flag, ready = accept(at) end
  if flag == 1 then places = places - 1 end
  flags[i + 2] = flag
  arrived = arrived + ready
end
arrive(arrived)
if empty and arrived > 0 then redis.pcall('PUBLISH', base .. 'woken', arrived) end -- a hint for whoever starts workers
if not token and (arrived > 0 or not empty) then redis.call('LPUSH', base .. 'wake', '1') end
return flags
