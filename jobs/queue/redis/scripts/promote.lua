#!lua flags=allow-oom
-- promote moves ids that have become due from the later sets to the ready sets, and wakes the Pops that wait for
-- them. It looks only at queues that have something due: delayed has the next due moment of each, or an earlier one.
--
-- KEYS[1]   delayed: the queues that have later ids, by the next due moment
-- ARGV[1]   the prefix of all keys, see sets.lua
-- ARGV[2]   the most ids that a set keeps
-- ARGV[3]   the most tokens that a list keeps
-- ARGV[4]   how many ids to move at most
-- returns   how many ids were moved
--
-- A member of a later set is a letter (r: ready, s: suspects), the score in the ready set as digits, a colon, the type,
-- a space and the id. Each id is added to its new set before it leaves the old one. It has allow-oom: it must work in a
-- full Redis, and it removes more than it adds.

local cap, bound, left = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local time = call('TIME')
local now = string.format('%.0f', tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000))
local moved, woken = 0, false

-- move moves at most n ids of a queue.
local function move(queue, n)
  local later = prefix .. 'delayed:' .. queue
  local due = call('ZRANGEBYSCORE', later, '-inf', now, 'LIMIT', 0, n)
  if #due > 0 then
    local sets = {}
    for _, member in ipairs(due) do
      local kind, score, type, id = string.match(member, '^([rs])(%d+):(%S*) (.+)$')
      if kind then -- anything else was put here by another program, and is removed
        local name = kind .. type
        local set = sets[name]
        if not set then
          set = { key = set_of(queue, name), added = 0, least = math.huge, type = type }
          set.there = call('ZCARD', set.key)
          sets[name] = set
        end
        set.added = set.added + call('ZADD', set.key, 'NX', score, id)
        set.least = math.min(set.least, tonumber(score) - (kind == 's' and WARY or 0))
      end
    end
    call('ZREM', later, unpack(due))
    for name, set in pairs(sets) do
      if set.added > 0 then
        local limit = most(set.key, set.there, set.added, cap)
        if set.there + set.added > limit then
          call('ZREMRANGEBYRANK', set.key, limit, -1)
        end
        call('ZADD', prefix .. 'types:' .. queue, 'LT', string.format('%.0f', set.least), name)
        if set.there == 0 then
          began(queue, name)
        end
        rouse(queue, set.type, set.added)
        woken = true
      end
    end
    moved, left = moved + #due, left - #due
  end
  local next = call('ZRANGE', later, 0, 0, 'WITHSCORES')
  if #next == 0 then
    call('ZREM', KEYS[1], queue)
  else
    call('ZADD', KEYS[1], next[2], queue)
  end
end

-- Each queue has its share, so that many ids of one do not delay the others for long; then whoever has more.
for _, fair in ipairs({ true, false }) do
  local queues = left > 0 and call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, left) or {}
  for i, queue in ipairs(queues) do
    if left <= 0 then
      break
    end
    move(queue, fair and math.ceil(left / (#queues - i + 1)) or left)
  end
  if moved == 0 then -- usually
    break
  end
end
if woken then
  ring('1', bound)
end
return moved
