-- Queues failed jobs again with all their attempts. ARGV: event text, then uuids.
-- Returns for each {1, 'queued'} when it was replayed, else {0, its state}, or {0, false} for an unknown job.
-- A job past its retention is not replayed: its files may be gone already.
check({'kept', 'failed', 'queued'})
local replies, failed = {}, {}
for i = 2, #ARGV do
  local uuid = ARGV[i]
  local facts = redis.call('HMGET', record(uuid), 'status', 'message')
  redis.call('LLEN', base .. 'events:' .. uuid)
  local kept_until = tonumber(redis.call('ZSCORE', base .. 'kept', uuid) or 0)
  replies[i - 1] = {0, facts[1]}
  if facts[1] == 'failed' and facts[2] and kept_until > now then failed[#failed + 1] = i end
end
for _, i in ipairs(failed) do
  local uuid = ARGV[i]
  if redis.call('ZREM', base .. 'kept', uuid) == 1 then -- 0: the same uuid came twice
    redis.call('HDEL', record(uuid), 'attempts', 'losses', 'error', 'finished', 'cancel', 'expires', 'ended', 'progress')
    requeue(uuid, 'failed', 'queued', ARGV[1])
    replies[i - 1] = {1, 'queued'}
  end
end
return replies
