#!lua flags=allow-oom
-- bridge lets processes of version 0.1 work on the same Redis, as long as there are any. They know one ready set for
-- each queue: queues has the names, ready:<queue> and suspects:<queue> the ids, wake and wake:<queue> their tokens.
--
-- KEYS[1]   queues. It is there without an expiry since such a process has pushed something, and makes the bridge stand
--           for ten minutes.
-- ARGV[1]   the prefix of all keys, see sets.lua
-- returns   how many ids were moved to them
--
-- It moves the first ids of some sets, once a second. What nobody takes there expires, and the maintenance finds it in
-- the store. Their own ids are read by pop.lua. In their later sets nothing is needed: it expires as well.

local STANDS, KEPT, SETS, IDS = 600, 60, 50, 100
local ttl = call('TTL', KEYS[1])
if ttl == -2 then
  return 0
end
if ttl == -1 then
  call('EXPIRE', KEYS[1], STANDS)
end
for _, queue in ipairs(call('SRANDMEMBER', KEYS[1], SETS)) do
  for _, kind in ipairs({ 'ready:', 'suspects:', 'later:', 'wake:' }) do
    call('EXPIRE', prefix .. kind .. queue, STANDS, 'NX')
  end
end
local moved = 0
for _, kind in ipairs({ 'ready', 'suspects' }) do
  for _, set in ipairs(call('ZRANDMEMBER', prefix .. kind, SETS)) do
    local type, queue = string.match(set, '^(.*):([^:]*)$')
    local from, to = prefix .. kind .. ':' .. queue .. ':' .. type, prefix .. kind .. ':' .. queue
    local ids, pairs = call('ZRANGE', from, 0, IDS - 1, 'WITHSCORES'), {}
    for i = 1, #ids, 2 do
      pairs[i], pairs[i + 1] = ids[i + 1], ids[i]
    end
    if #pairs > 0 then
      call('ZADD', to, 'NX', unpack(pairs))
      call('EXPIRE', to, KEPT)
      call('ZREMRANGEBYRANK', from, 0, IDS - 1)
      call('SADD', KEYS[1], queue)
      for _, list in ipairs({ prefix .. 'wake', prefix .. 'wake:' .. queue }) do
        if call('LLEN', list) < 16 then
          call('RPUSH', list, '1')
          call('EXPIRE', list, KEPT)
        end
      end
      moved = moved + #pairs / 2
    end
    if #pairs < 2 * IDS then
      ended(queue, (kind == 'ready' and 'r' or 's') .. type)
    end
  end
end
return moved
