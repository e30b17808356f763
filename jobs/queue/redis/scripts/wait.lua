#!lua flags=allow-oom
-- wait notes that Pops of a group wait for some queues and types, and forgets groups that nobody has noted again.
--
-- KEYS[1]   waiters: the groups that take from any queue
-- ARGV[1]   the prefix of all keys
-- ARGV[2]   the group
-- ARGV[3]   the types that it serves, see serves in sets.lua
-- ARGV[4]   how many seconds that counts
-- ARGV[5..] the queues; none: any
-- returns   1
--
-- See bounds.lua for how it is used. It has allow-oom: Pops wait in a full Redis as well.

local prefix, group = ARGV[1], ARGV[2]
local now = tonumber(redis.call('TIME')[1])
local keys, until_then = { KEYS[1] }, string.format('%010d', now + ARGV[4])
for i = 5, #ARGV do
  keys[i - 3] = prefix .. 'waiters:' .. ARGV[i]
end
for i, key in ipairs(keys) do
  local waiting = redis.call('HGETALL', key)
  for k = 1, #waiting, 2 do
    if tonumber(string.sub(waiting[k + 1], 1, 10)) < now then
      redis.call('HDEL', key, waiting[k])
      redis.call('DEL', prefix .. 'tokens:' .. waiting[k])
    end
  end
  -- Among those of any queue, one that names its queues is only said to exist.
  redis.call('HSET', key, i == 1 and #keys > 1 and '*' or group, until_then .. ARGV[3])
  redis.call('EXPIRE', key, ARGV[4])
end
return 1
