#!lua flags=allow-oom
-- depths counts what is held of some queues, forgets the names of those that hold nothing, and tells which life of the
-- queue this is.
--
-- KEYS[1]   queues: the set of queue names
-- KEYS[2]   dead: the mirror of dead jobs
-- KEYS[3]   epoch: a random value that is set by whoever looks first after everything was lost
-- ARGV[1]   the prefix of the other keys: ready:<queue>, suspects:<queue>, later:<queue>, wake:<queue>; all in one slot
-- ARGV[2]   a value for the epoch where there is none
-- ARGV[3..] names of queues
-- returns   {epoch, the server's run id or '', dead, queue, ready, suspects, later, queue, …}
--
-- The run id tells a restart, and a replica that took over, from the server that was there before, though it may have
-- the same epoch in its copy of the data. INFO may be denied to us; then the epoch alone has to do.

local prefix = ARGV[1]
redis.call('SET', KEYS[3], ARGV[2], 'NX')
local info = redis.pcall('INFO', 'server')
local run = type(info) == 'string' and string.match(info, 'run_id:(%w+)') or ''

local answer = { redis.call('GET', KEYS[3]), run, redis.call('ZCARD', KEYS[2]) }
for i = 3, #ARGV do
  local queue = ARGV[i]
  local ready = redis.call('ZCARD', prefix .. 'ready:' .. queue)
  local suspects = redis.call('ZCARD', prefix .. 'suspects:' .. queue)
  local later = redis.call('ZCARD', prefix .. 'later:' .. queue)
  if ready + suspects + later == 0 then
    redis.call('SREM', KEYS[1], queue) -- names that are used once would pile up
    redis.call('DEL', prefix .. 'wake:' .. queue)
  else
    for _, v in ipairs({ queue, ready, suspects, later }) do
      answer[#answer + 1] = v
    end
  end
end
return answer
