-- Calls the first jobs of the line of an account or a budget: they are due now. A job is in the line or due, whenever a worker dies.
-- KEYS  1 line:{account} or budget_line:{id}  zset  key -> its place
--       2 due                    zset  key -> unix seconds when it needs care
--       3 lines or budget_lines  zset  account or budget -> unix seconds when its line is looked at
--       4 room:{account}         hash  what the account has left: see claim_room.lua; a budget has none
-- ARGV  1 jobs to call  2 account or budget  3 seconds until its line is looked at again
--       4 "LT": not later than planned, because a run of the account has ended; or ""
-- Returns the keys that are called
local now = redis.call('TIME')
local time = string.format('%d.%06d', now[1], now[2])
local called = ARGV[1] ~= '0' and redis.call('ZRANGE', KEYS[1], 0, ARGV[1] - 1) or {}
for _, key in ipairs(called) do
  redis.call('ZREM', KEYS[1], key)
  redis.call('ZADD', KEYS[2], time, key)
end
if ARGV[4] == 'LT' and redis.call('EXISTS', KEYS[4]) == 1 then redis.call('HSET', KEYS[4], 'ended_at', time) end
if redis.call('EXISTS', KEYS[1]) == 0 then redis.call('ZREM', KEYS[3], ARGV[2])
elseif ARGV[4] == 'LT' then redis.call('ZADD', KEYS[3], 'LT', time + ARGV[3], ARGV[2])
else redis.call('ZADD', KEYS[3], time + ARGV[3], ARGV[2]) end
return called
