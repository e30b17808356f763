#!lua flags=allow-oom
-- pop removes ready ids and returns them, queue after queue: of each its suspects first, as many as are wanted, then
-- the others.
--
-- KEYS[1]   queues: the set of queue names
-- KEYS[2]   wake: the tokens for those who wait for any queue
-- ARGV[1]   the prefix of the other keys: ready:<queue>, suspects:<queue>, wake:<queue>; all in the slot of KEYS
-- ARGV[2]   how many ids to take at most
-- ARGV[3]   how many of them may be suspects
-- ARGV[4]   a random number, for the order of queues that were not named
-- ARGV[5..] the queues to look at, in this order; none: all, in random order
-- returns   {queue, suspects, others, …}, where suspects and others are
--           {score of the first, ids} or {}; queues without any are left out
--
-- Only the first score of a set is returned: Redis 7.0 needs more time to write a score than to remove its id.
--
-- It has allow-oom: it must work in a full Redis, or nothing could be removed.

local prefix, left, suspects = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local names, all = {}, #ARGV < 5
if all then
  names = redis.call('SMEMBERS', KEYS[1])
  math.randomseed(tonumber(ARGV[4]))
  for i = #names, 2, -1 do
    local j = math.random(i)
    names[i], names[j] = names[j], names[i]
  end
else
  for i = 5, #ARGV do
    names[#names + 1] = ARGV[i]
  end
end

-- take returns the answer for a set, and how many ids are in it.
local function take(key, n)
  if n <= 0 then
    return {}, 0
  end
  local first = redis.call('ZRANGE', key, 0, 0, 'WITHSCORES')
  if #first == 0 then
    return first, 0
  end
  local ids = redis.call('ZRANGE', key, 0, n - 1)
  redis.call('ZREMRANGEBYRANK', key, 0, n - 1)
  return { first[2], ids }, #ids
end

local found, idle = {}, true
for _, queue in ipairs(names) do
  local wary, n = take(prefix .. 'suspects:' .. queue, math.min(suspects, left))
  left, suspects = left - n, suspects - n
  local ready, m = take(prefix .. 'ready:' .. queue, left)
  left = left - m
  if n + m > 0 then
    found[#found + 1] = queue
    found[#found + 1] = wary
    found[#found + 1] = ready
  end
  if left <= 0 then
    return found
  end
  -- Nothing more is ready here. Tokens would wake Pops for nothing, unless suspects are left that another Pop may
  -- take.
  if redis.call('EXISTS', prefix .. 'suspects:' .. queue) == 0 then
    redis.call('DEL', prefix .. 'wake:' .. queue)
  else
    idle = false
  end
end
if all and idle then
  redis.call('DEL', KEYS[2])
end
return found
