-- What several scripts share. ARGV[1] is the prefix of all keys; all of them are in one slot.
--
-- Ids that are due are in a set for each queue and type, and in another one for its suspects. In the indexes these
-- sets are named r<type> and s<type> within their queue, and <type>:<queue> elsewhere:
--
--   types:<queue>     the sets of a queue, by at most the score of their first id; suspects come first, see WARY
--   ready, suspects   the sets of all queues; they all have the score 0, so those of one type are side by side
--
-- A set that holds ids is in its indexes. An index may name a set that is empty: whoever sees that removes it. So the
-- indexes change when a set begins or ends, and a busy set costs nothing more.

local call, prefix = redis.call, ARGV[1]
local WARY = 1e15 -- what the score of a suspects set is less by in types:<queue>

local function set_of(queue, name)
  local kind = string.byte(name) == 114 and 'ready:' or 'suspects:' -- 114 is r
  return prefix .. kind .. queue .. ':' .. string.sub(name, 2)
end

-- ended notes that a set is empty.
local function ended(queue, name)
  local index = string.byte(name) == 114 and 'ready' or 'suspects'
  call('ZREM', prefix .. 'types:' .. queue, name)
  call('ZREM', prefix .. index, string.sub(name, 2) .. ':' .. queue)
end

-- serves reports whether a type is in a list: each with a space on both sides; '' is the list of all. Hints of an
-- unknown type, '', are for everybody.
local function serves(types, type)
  return types == '' or type == '' or string.find(types, ' ' .. type .. ' ', 1, true) ~= nil
end
