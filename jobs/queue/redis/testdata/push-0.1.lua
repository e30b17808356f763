#!lua
-- push adds hints to the sets of their queues and wakes the Pops that wait for them.
--
-- KEYS[1]        queues: the set of queue names
-- KEYS[2]        wake: the tokens for those who wait for any queue
-- KEYS[4i-1..]   of each queue i = 1, 2, …: its ready set, suspects set, later set and wake tokens
-- ARGV[1]        the most ids that a set keeps
-- ARGV[2]        the most tokens that a list keeps
-- ARGV[3..]      of each queue: its name, then three groups, each a count n and n pairs:
--                ready (score, id), suspects (score, id), later (milliseconds from now, member)
-- returns        how many ids became ready that were not before
--
-- It has no allow-oom: a full Redis refuses it before its first write. Members that are already there do not change.

local cap, bound = tonumber(ARGV[1]), tonumber(ARGV[2])
local queues, wake = KEYS[1], KEYS[2]

-- A token is "1", or carries the id where a single id comes into an empty ready set (its group is 1, score, id): then
-- the Pop that wakes up has the id already.
local token = '1'
if #ARGV == 8 and ARGV[4] == '1' and redis.call('EXISTS', KEYS[3]) == 0 then
  token = table.concat({ ARGV[5], ARGV[6], ARGV[3] }, ' ')
end

-- fill adds n pairs from ARGV[at] on, drops the worst above the cap, and returns how many new ones stayed.
local function fill(key, at, n)
  if n == 0 then
    return 0
  end
  local there = redis.call('ZCARD', key)
  if there + n <= cap then
    return redis.call('ZADD', key, 'NX', unpack(ARGV, at, at + 2 * n - 1))
  end
  -- An id that sorts after the last one of a full set would be dropped at once. It is skipped, so a large backlog
  -- that grows costs very little here.
  local last, score = nil, nil
  if there >= cap then
    last, score = unpack(redis.call('ZRANGE', key, cap - 1, cap - 1, 'WITHSCORES'))
    score = tonumber(score)
  end
  -- Some ids are dropped now, perhaps new ones: only new ids that stay are counted.
  local fresh, added = {}, 0
  for i = at, at + 2 * n - 1, 2 do
    local this = last and tonumber(ARGV[i])
    local better = not last or this < score or this == score and ARGV[i + 1] < last
    if better and redis.call('ZADD', key, 'NX', ARGV[i], ARGV[i + 1]) == 1 then
      fresh[ARGV[i + 1]] = true
      added = added + 1
    end
  end
  for _, worst in ipairs(redis.call('ZRANGE', key, cap, -1)) do
    if fresh[worst] then
      added = added - 1
    end
  end
  redis.call('ZREMRANGEBYRANK', key, cap, -1)
  return added
end

-- schedule adds n later members from ARGV[at] on, by Redis' own clock.
local function schedule(key, at, n)
  if n == 0 then
    return
  end
  local time = redis.call('TIME')
  local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
  local pairs = {}
  for i = at, at + 2 * n - 1, 2 do
    pairs[#pairs + 1] = string.format('%.0f', now + tonumber(ARGV[i]))
    pairs[#pairs + 1] = ARGV[i + 1]
  end
  redis.call('ZADD', key, 'NX', unpack(pairs))
  redis.call('ZREMRANGEBYRANK', key, cap, -1)
end

-- ring adds n tokens to a list, as far as it has room.
local function ring(key, n)
  n = math.min(n, bound - redis.call('LLEN', key))
  if n > 0 then
    local tokens = {}
    for i = 1, n do
      tokens[i] = token
    end
    redis.call('RPUSH', key, unpack(tokens))
  end
end

local total, at = 0, 3
for i = 3, #KEYS, 4 do
  redis.call('SADD', queues, ARGV[at])
  at = at + 1
  local added = 0
  for group = 0, 2 do
    local n = tonumber(ARGV[at])
    if group < 2 then
      added = added + fill(KEYS[i + group], at + 1, n)
    else
      schedule(KEYS[i + 2], at + 1, n)
    end
    at = at + 1 + 2 * n
  end
  ring(KEYS[i + 3], added)
  total = total + added
end
ring(wake, total)
return total
