-- Makes workers look at once whether they are marked, should they wait for jobs. KEYS are the lists they wait at.
-- ARGV: seconds after which a call is forgotten. There is at most one, and none that outlives its worker for long.
for _, list in ipairs(KEYS) do
  redis.call('DEL', list)
  redis.call('LPUSH', list, '1')
  redis.call('EXPIRE', list, ARGV[1])
end
