#!lua flags=allow-oom
-- promote moves ids that have become due from the later sets to the ready sets, and wakes the Pops that wait for
-- them.
--
-- KEYS[1]   queues: the set of queue names
-- KEYS[2]   wake: the tokens for those who wait for any queue
-- ARGV[1]   the prefix of the other keys: later:<queue>, ready:<queue>, suspects:<queue>, wake:<queue>; all in one slot
-- ARGV[2]   how many ids to move at most
-- ARGV[3]   the most ids that a set keeps
-- ARGV[4]   the most tokens that a list keeps
-- ARGV[5]   a random number, for the order of the queues
-- returns   how many ids were moved
--
-- A member of a later set is a letter (r: ready, s: suspects), the score in the ready set as digits, a colon and the
-- id. Each id is added to its new set before it leaves the old one. It has allow-oom: it must work in a full Redis,
-- and it removes more than it adds.

local prefix, left, cap, bound = ARGV[1], tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4])
local time = redis.call('TIME')
local now = string.format('%.0f', tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000))

local function ring(key, n)
  n = math.min(n, bound - redis.call('LLEN', key))
  if n > 0 then
    local tokens = {}
    for i = 1, n do
      tokens[i] = '1'
    end
    redis.call('RPUSH', key, unpack(tokens))
  end
end

local names = redis.call('SMEMBERS', KEYS[1])
math.randomseed(tonumber(ARGV[5]))
for i = #names, 2, -1 do
  local j = math.random(i)
  names[i], names[j] = names[j], names[i]
end

local moved, total = 0, 0
for _, queue in ipairs(names) do
  local later = prefix .. 'later:' .. queue
  local due = redis.call('ZRANGEBYSCORE', later, '-inf', now, 'LIMIT', 0, left)
  if #due > 0 then
    local sets = { r = prefix .. 'ready:' .. queue, s = prefix .. 'suspects:' .. queue }
    local added = 0
    for _, member in ipairs(due) do
      local kind, score, id = string.match(member, '^([rs])(%d+):(.+)$')
      if kind then -- anything else was put here by another program, and is removed
        added = added + redis.call('ZADD', sets[kind], 'NX', score, id)
      end
    end
    redis.call('ZREM', later, unpack(due))
    redis.call('ZREMRANGEBYRANK', sets.r, cap, -1)
    redis.call('ZREMRANGEBYRANK', sets.s, cap, -1)
    ring(prefix .. 'wake:' .. queue, added)
    moved, total, left = moved + #due, total + added, left - #due
    if left <= 0 then
      break
    end
  end
end
ring(KEYS[2], total)
return moved
