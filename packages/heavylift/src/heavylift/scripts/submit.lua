-- Accepts jobs: record, message and first event of each, all or none.
-- ARGV[1] bound on waiting jobs (0: none); then the ten fields of each job (see accept in common.lua).
-- Returns {0, waiting} when the bound is reached, else {1, flag...}: 1 created, 0 was there already (a repeated submit).
local count = (#ARGV - 1) / JOB_FIELDS
local bound = tonumber(ARGV[1])
check({'queued', 'scheduled', 'due', 'expiring'})
local fresh = count
for i = 0, count - 1 do
  local uuid = ARGV[2 + i * JOB_FIELDS]
  fresh = fresh - redis.call('HEXISTS', record(uuid), 'status')
  redis.call('LLEN', base .. 'events:' .. uuid)
end
local queued = redis.call('ZCARD', base .. 'queued')
if bound > 0 and fresh > 0 and queued + fresh > bound then return {0, queued} end

local flags = {1}
for i = 0, count - 1 do flags[i + 2] = accept(1 + i * JOB_FIELDS) end
return flags
