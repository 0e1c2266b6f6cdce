-- Removes finished jobs whose retention is over. ARGV: uuids. A job that is not finished, or was replayed, is left alone.
-- Returns how many were removed.
check({'kept', 'succeeded', 'failed', 'cancelled', 'expired'})
local gone = 0
for _, uuid in ipairs(ARGV) do
  local over = redis.call('ZSCORE', base .. 'kept', uuid)
  local status = redis.call('HGET', record(uuid), 'status')
  if over and tonumber(over) <= now and (status == 'succeeded' or status == 'failed' or status == 'cancelled' or status == 'expired') then
    redis.call('DEL', record(uuid), base .. 'events:' .. uuid)
    redis.call('ZREM', base .. status, uuid)
    redis.call('ZREM', base .. 'kept', uuid)
    gone = gone + 1
  end
end
return gone
