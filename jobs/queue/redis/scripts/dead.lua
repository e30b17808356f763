#!lua
-- dead replaces the mirror of the newest dead jobs.
--
-- KEYS[1]   dead: ids, by the time they finished
-- ARGV[1..] pairs of milliseconds and id; none: the mirror is emptied
-- returns   how many it holds now

redis.call('DEL', KEYS[1])
if #ARGV == 0 then
  return 0
end
return redis.call('ZADD', KEYS[1], unpack(ARGV))
