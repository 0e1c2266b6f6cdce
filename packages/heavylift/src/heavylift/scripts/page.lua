-- Lists jobs, newest first. ARGV: ms and uuid of the last one seen ('' for the first page), limit, how many states are wanted, these states,
-- then the fields wanted of each record. Returns rows {uuid, HMGET of the fields}. Bands of `queued` (by priority) are read apart and merged by creation.
local before, last, limit = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3])
local LAST_STATE = 4 + ARGV[4]
local BATCH = 100
local rows = {}

local function collect(index, offset)
  local top = before and number(offset + before) or number(offset + BAND - 1)
  local skip, found = 0, 0
  while found < limit do
    local part = redis.call('ZREVRANGEBYSCORE', index, top, number(offset), 'WITHSCORES', 'LIMIT', skip, BATCH)
    for i = 1, #part, 2 do
      local created = tonumber(part[i + 1]) - offset
      if found < limit and (not before or created < before or part[i] < last) then
        rows[#rows + 1] = {part[i], created}
        found = found + 1
      end
    end
    if #part < 2 * BATCH then break end
    skip = skip + BATCH
  end
end

for i = 5, LAST_STATE do
  if ARGV[i] == 'queued' then
    for step = 0, 9, 3 do collect(base .. 'queued', step * BAND) end
  else
    collect(base .. ARGV[i], 0)
  end
end
table.sort(rows, function(a, b) return a[2] > b[2] or (a[2] == b[2] and a[1] > b[1]) end)
local reply = {}
for i = 1, math.min(limit, #rows) do
  reply[i] = {rows[i][1], redis.call('HMGET', record(rows[i][1]), unpack(ARGV, LAST_STATE + 1))}
end
return reply
