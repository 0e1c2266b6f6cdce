-- Takes back leases that the reaper saw unrenewed for the lease period. ARGV: uuid, token, beats triples, as it saw them.
-- Returns one state a triple: the job's new state, or '' where the lease was renewed or ended meanwhile.
local FAILURE = '{"type":"lost","message":"Its worker was lost on every attempt."}'
check({'running', 'queued', 'failed', 'cancelled', 'kept'})
check_leases()
for i = 1, #ARGV, 3 do
  redis.call('HLEN', record(ARGV[i]))
  redis.call('LLEN', base .. 'events:' .. ARGV[i])
end
local states = {}
for i = 1, #ARGV, 3 do
  local uuid = ARGV[i]
  local state = ''
  if redis.call('HGET', base .. 'leases', uuid) == ARGV[i + 1] and redis.call('HGET', base .. 'beats', uuid) == ARGV[i + 2] then
    local facts = redis.call('HMGET', record(uuid), 'attempts', 'worker', 'status')
    drop_lease(uuid)
    if facts[3] == 'running' then
      local extra = ',"attempt":' .. facts[1] .. ',"worker":' .. cjson.encode(facts[2]) .. ',"reason":"lease not renewed"'
      state = lose(uuid, extra, FAILURE)
    end
  end
  states[#states + 1] = state
end
return states
