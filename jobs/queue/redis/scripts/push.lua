#!lua
-- push adds hints to the sets of their queues and wakes the Pops that wait for them.
--
-- KEYS[1]   waiters: see bounds.lua
-- ARGV[1]   the prefix of all keys, see sets.lua
-- ARGV[2]   the most ids that a set keeps
-- ARGV[3]   the most tokens that a list keeps
-- ARGV[4..] groups, each with a kind, a queue, a type, a count n, the least first value of its pairs, and n pairs:
--           r: ready (score, id); s: suspects (score, id), the least score without WARY; l: later, of all types
--           (milliseconds from now, member)
-- returns   how many ids became ready that were not before
--
-- It has no allow-oom: a full Redis refuses it before its first write. Members that are already there do not change.

local cap, bound = tonumber(ARGV[2]), tonumber(ARGV[3])

-- fill adds n pairs from ARGV[at] on, drops the worst above the limit, and returns how many new ones stayed, and how
-- many members there were.
local function fill(key, at, n)
  local there = call('ZCARD', key)
  local limit = most(key, there, n, cap)
  if there + n <= limit then
    return call('ZADD', key, 'NX', unpack(ARGV, at, at + 2 * n - 1)), there
  end
  -- An id that sorts after the last one of a full set would be dropped at once. It is skipped, so a large backlog
  -- that grows costs very little here.
  local last, score = nil, nil
  if there >= limit then
    last, score = unpack(call('ZRANGE', key, limit - 1, limit - 1, 'WITHSCORES'))
    score = tonumber(score)
  end
  -- Some ids are dropped now, perhaps new ones: only new ids that stay are counted.
  local fresh, added = {}, 0
  for i = at, at + 2 * n - 1, 2 do
    local this = last and tonumber(ARGV[i])
    local better = not last or this < score or this == score and ARGV[i + 1] < last
    if better and call('ZADD', key, 'NX', ARGV[i], ARGV[i + 1]) == 1 then
      fresh[ARGV[i + 1]] = true
      added = added + 1
    end
  end
  for _, worst in ipairs(call('ZRANGE', key, limit, -1)) do
    if fresh[worst] then
      added = added - 1
    end
  end
  call('ZREMRANGEBYRANK', key, limit, -1)
  return added, there
end

-- schedule adds n later members from ARGV[at] on, by Redis' own clock; the first is due in least milliseconds.
local function schedule(queue, at, n, least)
  local key = prefix .. 'delayed:' .. queue
  local time = call('TIME')
  local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
  local pairs = {}
  for i = at, at + 2 * n - 1, 2 do
    pairs[#pairs + 1] = string.format('%.0f', now + tonumber(ARGV[i]))
    pairs[#pairs + 1] = ARGV[i + 1]
  end
  local there = call('ZCARD', key)
  local added = call('ZADD', key, 'NX', unpack(pairs))
  if added > 0 then
    call('ZADD', prefix .. 'delayed', 'LT', string.format('%.0f', now + least), queue)
    local limit = most(key, there, added, cap)
    if there + added > limit then
      call('ZREMRANGEBYRANK', key, limit, -1)
    end
  end
end

-- A token is "1", or carries the id where a single id comes into an empty ready set: then the Pop that wakes up has
-- the id already.
local token, sum, at = '1', 0, 4
while at <= #ARGV do
  local kind, queue, type, n, least = unpack(ARGV, at, at + 4)
  n = tonumber(n)
  if kind == 'l' then
    schedule(queue, at + 5, n, tonumber(least))
  else
    local name = kind .. type
    local added, there = fill(set_of(queue, name), at + 5, n)
    if added > 0 then
      call('ZADD', prefix .. 'types:' .. queue, 'LT', least, name)
      if there == 0 then
        began(queue, name)
        if kind == 'r' and #ARGV == 10 then
          token = table.concat({ ARGV[9], ARGV[10], queue, type }, ' ')
        end
      end
      rouse(queue, type, added)
      sum = sum + added
    end
  end
  at = at + 5 + 2 * n
end
if sum > 0 then
  ring(token, bound)
end
return sum
