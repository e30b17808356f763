#!lua
-- register notes that an installation is present, and counts the others.
--
-- KEYS[1]   installations: ids, by the time until which each counts as present, in microseconds of Redis' clock
-- ARGV[1]   id of the installation
-- ARGV[2]   how long it counts as present, in milliseconds
-- returns   how many others have registered since this one did the last time
--
-- An installation that is gone, because its database moved to another server for example, does not register again: so
-- it is not counted. Neither is any at the first call.

local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local before = redis.call('ZSCORE', KEYS[1], ARGV[1])

redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
local others = 0
if before then
  others = redis.call('ZCOUNT', KEYS[1], '(' .. before, '+inf')
end
redis.call('ZADD', KEYS[1], now + ARGV[2] * 1000, ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return others
