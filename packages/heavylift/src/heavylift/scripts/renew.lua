-- Renews leases by token. ARGV: uuid, token pairs.
-- Returns one number a pair: 0 renewed, 1 renewed and asked to stop, 2 lost (nothing written), 3 this token has ended the
-- attempt itself (nothing written).
check_leases()
insist_on_master()
local states = {}
for i = 1, #ARGV, 2 do
  if redis.call('HGET', base .. 'leases', ARGV[i]) ~= ARGV[i + 1] then
    states[#states + 1] = redis.call('HGET', record(ARGV[i]), 'ended') == ARGV[i + 1] and 3 or 2
  else
    redis.call('HINCRBY', base .. 'beats', ARGV[i], 1)
    states[#states + 1] = redis.call('HEXISTS', record(ARGV[i]), 'cancel')
  end
end
return states
