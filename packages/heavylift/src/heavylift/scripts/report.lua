-- Writes what a running attempt says, if it still holds the lease.
-- ARGV: uuid, token, kind, text, cap
--   kind progress: text is the record's progress as JSON
--   kind log: text is an event's JSON text that begins with a comma; beyond `cap` events it is dropped
-- Returns 1 written, 0 the lease is another's, 2 dropped.
local uuid = ARGV[1]
if redis.call('HGET', base .. 'leases', uuid) ~= ARGV[2] then
  insist_on_master()
  return 0
end
if ARGV[3] == 'progress' then
  redis.call('HSET', record(uuid), 'progress', ARGV[4])
  redis.call('PUBLISH', base .. 'told:' .. uuid, 0)
  return 1
end
if redis.call('LLEN', base .. 'events:' .. uuid) >= tonumber(ARGV[5]) then return 2 end
event(uuid, 'log', ARGV[4])
return 1
