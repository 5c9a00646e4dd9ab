-- Puts a waiting job into its account's line, where it costs nothing: it has no `due` but its deadline.
-- KEYS  1 job:{key}       hash  the job
--       2 due             zset  key -> unix seconds when it needs care
--       3 line:{account}  zset  key -> its place
--       4 lines           zset  account -> unix seconds when its line is looked at
--       5 pace:{account}  hash  how many are called at a time: see capacity_line.py
-- ARGV  1 key  2 epoch that it must have  3 its place  4 account  5 unix seconds of its deadline, or ""
--       6 "refused": by the platform, just now; "full": its account is, by its limits; or ""  7 seconds for which a pace is remembered
-- Returns 1, or 0 if the job waits no more, or isn't wanted any more
local state, epoch, wanted = unpack(redis.call('HMGET', KEYS[1], 'state', 'epoch', 'wanted'))
if state ~= 'WAITING' or epoch ~= ARGV[2] or (wanted and wanted ~= '') then return 0 end
redis.call('ZADD', KEYS[3], ARGV[3], ARGV[1])
if ARGV[5] == '' then redis.call('ZREM', KEYS[2], ARGV[1]) else redis.call('ZADD', KEYS[2], ARGV[5], ARGV[1]) end
if ARGV[6] ~= '' then
  redis.call('HSET', KEYS[5], ARGV[6], 1)
  redis.call('EXPIRE', KEYS[5], ARGV[7])
end
local wait = tonumber(redis.call('HGET', KEYS[5], 'wait_s') or '') or 1
redis.call('ZADD', KEYS[4], 'NX', redis.call('TIME')[1] + wait, ARGV[4])
return 1
