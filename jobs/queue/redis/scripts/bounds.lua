-- What push, promote and depths share besides: how much is kept, what is noted of a new set, and how Pops are woken.
--
-- Each set keeps at most cap ids. So that many sets together stay within bounds as well, the large ones share ten caps,
-- and the others two.

local SMALL, LARGE = 20, 1000 -- what a set may always hold, and from where on it is a large one
local WAKE = 60 -- seconds that tokens are kept for

-- shares returns how many ids a small and a large set may hold now.
local function shares(cap)
  local sets = call('ZCARD', prefix .. 'ready') + call('ZCARD', prefix .. 'suspects')
    + call('ZCARD', prefix .. 'delayed')
  local small = math.max(SMALL, math.min(LARGE, math.floor(2 * cap / math.max(1, sets))))
  return small, math.max(small, math.floor(10 * cap / math.max(1, call('SCARD', prefix .. 'large'))))
end

-- most returns how many ids a set may hold that has some and gets n. A look at the others is worth its price only now
-- and then.
local function most(key, there, n, cap)
  local step = there < LARGE and SMALL or LARGE
  if math.floor(there / step) == math.floor((there + n) / step) then
    return cap
  end
  if there + n >= LARGE then
    for _, other in ipairs(call('SRANDMEMBER', prefix .. 'large', 2)) do
      if call('ZCARD', other) < LARGE / 2 then
        call('SREM', prefix .. 'large', other)
      end
    end
    call('SADD', prefix .. 'large', key)
  end
  local small, large = shares(cap)
  if there + n <= small then
    return cap
  end
  -- What is too much goes bit by bit: Redis does nothing else meanwhile.
  return math.min(cap, math.max(there + n >= LARGE and large or small, there - LARGE))
end

-- began notes that a set has its first ids.
local function began(queue, name)
  local index = string.byte(name) == 114 and 'ready' or 'suspects'
  call('ZADD', prefix .. index, 0, string.sub(name, 2) .. ':' .. queue)
end

-- rouse notes that n ids of a queue and type became ready, for the groups of Pops that wait for such. The hash waiters
-- has those that take from any queue, waiters:<queue> those that name it: group, and the list of types it serves after
-- the ten digits of the time until which it counts. The group named * in waiters tells that there are others.
local anywhere, named, tokens = nil, nil, {}
local function rouse(queue, type, n)
  if not anywhere then
    anywhere = call('HGETALL', prefix .. 'waiters')
    for i = 1, #anywhere, 2 do
      named = named or anywhere[i] == '*' and {}
    end
  end
  local here
  if named then
    here = named[queue] or call('HGETALL', prefix .. 'waiters:' .. queue)
    named[queue] = here
  end
  for waiting = 1, 2 do
    local list = waiting == 1 and anywhere or here or {}
    for i = 1, #list, 2 do
      if list[i] ~= '*' and serves(string.sub(list[i + 1], 11), type) then
        tokens[list[i]] = (tokens[list[i]] or 0) + n
      end
    end
  end
end

-- ring hands out the tokens: each wakes one Pop of its group. A list keeps at most bound.
local function ring(token, bound)
  for group, n in pairs(tokens) do
    local list = prefix .. 'tokens:' .. group
    local there = call('LLEN', list)
    n = math.min(n, bound - there)
    if n > 0 then
      local more = {}
      for i = 1, n do
        more[i] = token
      end
      call('RPUSH', list, unpack(more))
      if there == 0 then
        call('EXPIRE', list, WAKE) -- nobody may ever come for them
      end
    end
  end
end
