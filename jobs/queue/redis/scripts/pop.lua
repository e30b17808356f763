#!lua flags=allow-oom
-- pop removes ready ids and returns them, queue after queue: of each its suspects first, as many as are wanted, then
-- the others, in the order of the queue over all types that are served.
--
-- KEYS[1]   ready: see sets.lua
-- ARGV[1]   the prefix of all keys, see sets.lua
-- ARGV[2]   how many ids to take at most
-- ARGV[3]   how many of them may be suspects
-- ARGV[4]   the types that are served, see serves
-- ARGV[5]   the group that waits for these queues and types, see bounds.lua
-- ARGV[6]   a random number, for the order of queues that were not named
-- ARGV[7..] the queues to look at, in this order; none: all, in random order
-- returns   {1, or 0 where nothing is ready and the group is not known, then queue, set, score of the first id, ids, …},
--           where set is r<type> or s<type>, see sets.lua
--
-- Only the first score of several ids is returned: Redis 7.0 needs more time to write a score than to remove its id.
--
-- It has allow-oom: it must work in a full Redis, or nothing could be removed.

local n, suspects, types, group = tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4], ARGV[5]
local indexes = 1 -- of ready and suspects, how many there are
if #ARGV < 7 then
  indexes = call('EXISTS', KEYS[1], prefix .. 'suspects')
  if indexes == 0 and call('EXISTS', prefix .. 'queues') == 0 then -- the usual case of an idle worker
    call('DEL', prefix .. 'tokens:' .. group)
    return { call('HEXISTS', prefix .. 'waiters', group) }
  end
end
local PAGE = 8
local left, answer = n, { 1 }
local passed = false -- whether ids were left that another Pop of the group may take

-- whole takes from a set that nothing competes with, at most most ids.
local function whole(queue, name, most)
  local set = set_of(queue, name)
  local first = call('ZRANGE', set, 0, 1, 'WITHSCORES')
  local ids = { first[1] }
  if #first == 4 then
    ids = call('ZRANGE', set, 0, most) -- one more than wanted, to see whether it is the end
  end
  if #ids > most then
    ids[#ids] = nil
    passed = true
  else
    ended(queue, name)
  end
  if #ids == 0 then
    return
  end
  call('ZREMRANGEBYRANK', set, 0, most - 1)
  left = left - #ids
  if string.byte(name) == 115 then -- s
    suspects = suspects - #ids
  end
  local at = #answer
  answer[at + 1], answer[at + 2], answer[at + 3], answer[at + 4] = queue, name, first[2], ids
end

-- fits reports whether ids of a set may be taken.
local function fits(name)
  if not serves(types, string.sub(name, 2)) then
    return false
  end
  if string.byte(name) == 115 and suspects <= 0 then
    passed = true
    return false
  end
  return true
end

-- merge takes ids of several sets in their common order. page is the beginning of types:<queue>.
local function merge(queue, page)
  -- A heap of sets, by their first id: score, then id. The id is '' as long as it is not known: then the score may be too
  -- small.
  local function before(a, b)
    return a.score < b.score or a.score == b.score and a.id < b.id
  end

  local function sink(heap, i)
    local this = heap[i]
    while 2 * i <= #heap do
      local child = 2 * i
      if child < #heap and before(heap[child + 1], heap[child]) then
        child = child + 1
      end
      if not before(heap[child], this) then
        break
      end
      heap[i] = heap[child]
      i = child
    end
    heap[i] = this
  end

  local function add(heap, this)
    local i = #heap + 1
    while i > 1 and before(this, heap[math.floor(i / 2)]) do
      heap[i] = heap[math.floor(i / 2)]
      i = math.floor(i / 2)
    end
    heap[i] = this
  end

  local function remove_first(heap)
    heap[1] = heap[#heap]
    heap[#heap] = nil
    if #heap > 1 then
      sink(heap, 1)
    end
  end

  local index = prefix .. 'types:' .. queue
  local heap, touched, known, size = {}, {}, {}, PAGE
  local last = -math.huge -- every set that is not in the heap yet comes behind this
  local function read(list)
    for i = 1, #list, 2 do
      local name = list[i]
      if not known[name] and fits(name) then
        add(heap, { name = name, score = tonumber(list[i + 1]), id = '', taken = 0 })
      end
      known[name] = true
    end
  end
  local offset = #page / 2
  read(page)
  last = #page < 2 * PAGE and math.huge or tonumber(page[#page])
  if last < math.huge and #heap < offset and types ~= '' then
    -- Sets of others are in the way. Where few types are served these are asked for by name.
    local names = {}
    for type in string.gmatch(types, '%S+') do
      names[#names + 1] = 'r' .. type
      names[#names + 1] = 's' .. type
    end
    if #names <= 64 then
      names[#names + 1], names[#names + 2] = 'r', 's'
      local scores, list = call('ZMSCORE', index, unpack(names)), {}
      for i = 1, #names do
        if scores[i] then
          list[#list + 1], list[#list + 2] = names[i], scores[i]
        end
      end
      read(list)
      last = math.huge
    end
  end
  if #heap == 1 and last == math.huge then
    local name = heap[1].name
    return whole(queue, name, string.byte(name) == 115 and math.min(suspects, left) or left)
  end

  while left > 0 do
    while last < math.huge and (#heap == 0 or heap[1].score > last) do
      size = 2 * size
      page = call('ZRANGE', index, offset, offset + size - 1, 'WITHSCORES')
      offset = offset + #page / 2
      read(page)
      last = #page < 2 * size and math.huge or tonumber(page[#page])
    end
    local this = heap[1]
    if not this then
      break
    end
    local wary = string.byte(this.name) == 115
    if wary and suspects <= 0 then
      passed = true
      remove_first(heap)
    elseif this.at and this.at <= #this.ids then
      local id, score, at = this.ids[this.at], this.ids[this.at + 1], #answer
      if answer[at - 3] == queue and answer[at - 2] == this.name then
        table.insert(answer[at], id)
      else
        answer[at + 1], answer[at + 2], answer[at + 3], answer[at + 4] = queue, this.name, score, { id }
      end
      left = left - 1
      if wary then
        suspects = suspects - 1
      end
      this.taken, this.at = this.taken + 1, this.at + 2
      local next = this.ids[this.at]
      if next then
        this.id, this.score = next, tonumber(this.ids[this.at + 1]) - (wary and WARY or 0)
        sink(heap, 1)
      end
    elseif this.final then
      this.empty = true
      remove_first(heap)
    else
      local some = math.min(left + 1, math.max(2, math.ceil(2 * left / #heap)))
      this.ids = call('ZRANGE', set_of(queue, this.name), this.taken, this.taken + some - 1, 'WITHSCORES')
      this.at, this.final = 1, #this.ids < 2 * some
      touched[#touched + 1] = this
      if #this.ids > 0 then
        this.id, this.score = this.ids[1], tonumber(this.ids[2]) - (wary and WARY or 0)
        sink(heap, 1)
      end
    end
  end
  for _, this in ipairs(touched) do
    if not this.done then
      this.done = true
      if this.taken > 0 then
        call('ZREMRANGEBYRANK', set_of(queue, this.name), 0, this.taken - 1)
      end
      if this.final and this.at > #this.ids then
        ended(queue, this.name)
      else
        call('ZADD', index, string.format('%.0f', this.score), this.name)
      end
    end
  end
end

-- take takes what there is in a queue.
local function take(queue)
  local index = prefix .. 'types:' .. queue
  local names = call('ZRANGE', index, 0, 1)
  if #names == 1 then
    local name = names[1]
    if fits(name) then
      whole(queue, name, string.byte(name) == 115 and math.min(suspects, left) or left)
    end
  elseif #names > 1 then
    merge(queue, call('ZRANGE', index, 0, PAGE - 1, 'WITHSCORES'))
  end
end

-- any takes from all queues in random order.
local function any()
  local SOME, visits, seen = 8, 200, {}
  local function shuffled(list)
    for i = #list, 2, -1 do
      local j = math.random(i)
      list[i], list[j] = list[j], list[i]
    end
    return list
  end
  -- visit takes from the queues of some sets, each once.
  local function visit(sets)
    for _, set in ipairs(#sets > 1 and shuffled(sets) or sets) do
      local type, queue = string.match(set, '^(.*):([^:]*)$')
      if left > 0 and visits > 0 and not seen[queue] and serves(types, type) then
        seen[queue], visits = true, visits - 1
        take(queue)
      end
    end
  end
  local some, had = call('ZRANDMEMBER', KEYS[1], SOME)
  if indexes == 2 or #some == 0 then -- there are suspects
    if suspects > 0 then
      visit(call('ZRANDMEMBER', prefix .. 'suspects', 4 * SOME))
    else
      passed = true
    end
  end
  repeat
    some, had = some or call('ZRANDMEMBER', KEYS[1], SOME), visits
    visit(some)
    if left <= 0 or #some < SOME then -- these were all
      return
    end
    some = nil
  until visits == had or visits == 0
  -- Sets of others are in the way: look for those of each type that is served, from a random one on.
  local list = { '' }
  for type in string.gmatch(types, '%S+') do
    list[#list + 1] = type
  end
  for _, type in ipairs(shuffled(list)) do
    local from, to = '[' .. type .. ':', '(' .. type .. ';'
    if #call('ZRANGEBYLEX', KEYS[1], from, to, 'LIMIT', 0, 1) > 0 then
      repeat
        local first, count = call('ZLEXCOUNT', KEYS[1], '-', '(' .. type .. ':'), call('ZLEXCOUNT', KEYS[1], from, to)
        local at = first + math.random(0, math.max(0, count - SOME))
        had = visits
        visit(call('ZRANGE', KEYS[1], at, math.min(at + SOME, first + count) - 1))
      until left <= 0 or visits == had or count <= SOME
      if left <= 0 then
        return
      end
    end
  end
  passed = passed or visits == 0
end

-- older takes what processes of version 0.1 have pushed; they do not tell the type. See bridge.lua.
local function older()
  if call('EXISTS', prefix .. 'queues') == 0 then
    return
  end
  local queues = #ARGV < 7 and call('SRANDMEMBER', prefix .. 'queues', PAGE) or { unpack(ARGV, 7) }
  for _, queue in ipairs(queues) do
    local set = prefix .. 'ready:' .. queue
    local first = left > 0 and call('ZRANGE', set, 0, 0, 'WITHSCORES') or {}
    if #first > 0 then
      local ids, at = call('ZRANGE', set, 0, left - 1), #answer
      call('ZREMRANGEBYRANK', set, 0, left - 1)
      answer[at + 1], answer[at + 2], answer[at + 3], answer[at + 4] = queue, 'r', first[2], ids
      left = left - #ids
    end
  end
end

local known
if #ARGV < 7 then
  math.randomseed(tonumber(ARGV[6]))
  any()
  known = prefix .. 'waiters'
else
  for i = 7, #ARGV do
    if left <= 0 then
      break
    end
    take(ARGV[i])
  end
  known = prefix .. 'waiters:' .. ARGV[7]
end
if left == n then
  older()
end
if left == n then
  answer[1] = call('HEXISTS', known, group)
end
if left > 0 and not passed then
  call('DEL', prefix .. 'tokens:' .. group) -- they would wake Pops for nothing
end
return answer
