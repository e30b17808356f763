#!lua flags=allow-oom
-- depths counts what is held of some queues, and tells which life of the queue this is.
--
-- KEYS[1]   dead: the mirror of dead jobs
-- KEYS[2]   epoch: a random value that is set by whoever looks first after everything was lost
-- ARGV[1]   the prefix of all keys, see sets.lua
-- ARGV[2]   the most ids that a set keeps
-- ARGV[3]   a value for the epoch where there is none
-- ARGV[4..] names of queues
-- returns   {epoch, the server's run id or '', dead, how many ids a set can hold now, queue, later, sets, …}, where sets
--           has r<type> or s<type> and a number of ids for each set that is not empty
--
-- The run id tells a restart, and a replica that took over, from the server that was there before, though it may have
-- the same epoch in its copy of the data. INFO may be denied to us; then the epoch alone has to do.

call('SET', KEYS[2], ARGV[3], 'NX')
local info = redis.pcall('INFO', 'server')
local run = type(info) == 'string' and string.match(info, 'run_id:(%w+)') or ''

local cap = tonumber(ARGV[2])
local _, large = shares(cap)
local answer = { call('GET', KEYS[2]), run, call('ZCARD', KEYS[1]), math.min(cap, large) }
for i = 4, #ARGV do
  local queue = ARGV[i]
  local sets = {}
  for _, name in ipairs(call('ZRANGE', prefix .. 'types:' .. queue, 0, -1)) do
    local n = call('ZCARD', set_of(queue, name))
    if n > 0 then
      sets[#sets + 1] = name
      sets[#sets + 1] = n
    else
      ended(queue, name)
    end
  end
  local later = call('ZCARD', prefix .. 'delayed:' .. queue)
  if #sets > 0 or later > 0 then
    local at = #answer
    answer[at + 1], answer[at + 2], answer[at + 3] = queue, later, sets
  end
end
return answer
