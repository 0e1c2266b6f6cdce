-- Submits a recurring job, unless another scheduler has done so: the run the caller saw must still be the next one.
-- ARGV: name, ms of the run as the caller read it, ms of the run after it, then the ten fields of the job (see accept).
-- Returns 1 submitted, 0 done by another or changed meanwhile.
check({'queued', 'scheduled', 'due', 'expiring', 'recurring'}, ARGV[4])
local planned = redis.call('ZSCORE', base .. 'recurring', ARGV[1])
if not planned or tonumber(planned) ~= tonumber(ARGV[2]) or tonumber(planned) > now then return 0 end
local _, ready = accept(3)
arrive(ready)
wake()
redis.call('ZADD', base .. 'recurring', ARGV[3], ARGV[1])
return 1
