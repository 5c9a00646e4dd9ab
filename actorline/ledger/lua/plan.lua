-- Plans later looks: members of a sorted set of times; one that is there already stays as it is.
-- KEYS  1 zset  member -> unix seconds when it is due
-- ARGV  1 seconds from now  2.. members
local due = redis.call('TIME')[1] + ARGV[1]
for i = 2, #ARGV do redis.call('ZADD', KEYS[1], 'NX', due, ARGV[i]) end
