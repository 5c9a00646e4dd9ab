-- Plans a later look: a member of a sorted set of times, which stays as it is if it is there already.
-- KEYS  1 zset  member -> unix seconds when it is due
-- ARGV  1 member  2 seconds from now
local now = redis.call('TIME')
return redis.call('ZADD', KEYS[1], 'NX', now[1] + ARGV[2], ARGV[1])
