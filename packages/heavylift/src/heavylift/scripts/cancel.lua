-- Cancels a waiting job at once, asks a running one to stop. ARGV: uuid, event text.
-- Returns the state afterwards, or false for an unknown job. The message of a waiting job stays and is skipped when claimed.
local uuid = ARGV[1]
check({'queued', 'scheduled', 'cancelled', 'kept', 'due'}, uuid)
local status = redis.call('HGET', record(uuid), 'status')
redis.call('ZREM', base .. 'due', uuid) -- first of all, since Redis never refuses it
if status == 'queued' or status == 'scheduled' then
  redis.call('HDEL', record(uuid), 'message')
  conclude(uuid, status, 'cancelled', ARGV[2], {})
  return 'cancelled'
end
if status == 'running' and redis.call('HSETNX', record(uuid), 'cancel', number(now)) == 1 then
  event(uuid, 'cancel_requested', ARGV[2])
end
return status
