-- Marks workers, which then are given nothing of this queue, and takes marks back. <base>draining is the hash
--   worker -> end of its mark in ms     a mark ends by itself: whoever set it may be gone for good
--   ''     -> the highest epoch that wrote: one that has lost its leadership changes nothing any more
-- ARGV: epoch, ms the marks hold, how many workers are to be marked, these, then those whose marks are taken back.
-- Returns 1 done, 0 a higher epoch has written: nothing was done.
local MARKS = base .. 'draining'
local FIRST = 4
local epoch, last = tonumber(ARGV[1]), FIRST + ARGV[3] - 1
local marks = redis.call('HGETALL', MARKS)
local over = {}
for i = 1, #marks, 2 do
  if marks[i] == '' then
    if tonumber(marks[i + 1]) > epoch then return 0 end
  elseif tonumber(marks[i + 1]) <= now then
    over[#over + 1] = marks[i]
  end
end
insist_on_master()
for _, worker in ipairs(over) do redis.call('HDEL', MARKS, worker) end
for i = last + 1, #ARGV do redis.call('HDEL', MARKS, ARGV[i]) end
redis.call('HSET', MARKS, '', number(epoch))
for i = FIRST, last do redis.call('HSET', MARKS, ARGV[i], number(now + ARGV[2])) end
return 1
