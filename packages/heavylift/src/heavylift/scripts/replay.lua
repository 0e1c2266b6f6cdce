-- Queues a failed job again with all its attempts. ARGV: uuid, event text.
-- Returns the state afterwards (`queued` when replayed, else unchanged), or false for an unknown job.
-- A job past its retention is not replayed: its files may be gone already.
local uuid = ARGV[1]
local facts = redis.call('HMGET', record(uuid), 'status', 'message')
if facts[1] ~= 'failed' or not facts[2] then return facts[1] end
check({'kept', 'failed', 'queued'}, uuid)
if tonumber(redis.call('ZSCORE', base .. 'kept', uuid) or 0) <= now then return facts[1] end
redis.call('ZREM', base .. 'kept', uuid)
redis.call('HDEL', record(uuid), 'attempts', 'losses', 'error', 'finished', 'cancel', 'expires', 'ended', 'progress')
requeue(uuid, 'failed', 'queued', ARGV[2])
return 'queued'
