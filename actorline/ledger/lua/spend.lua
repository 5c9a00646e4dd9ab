-- Adds to what an API key's orders may cost today, unless that goes beyond its limit.
-- KEYS  1 spent:{name}        hash    day (UTC, days since 1970) -> nano-dollars; only today's is kept
--       2 spent_call:{token}  string  what this call returned; there if it comes again, as its reply was lost
-- ARGV  1 nano-dollars, negative to give back  2 limit of a day
-- Returns {1: added | 0: beyond the limit, nano-dollars before}
local returned = redis.call('GET', KEYS[2])
if returned then return {1, returned} end
local day = tostring(math.floor(redis.call('TIME')[1] / 86400))
local spent = tonumber(redis.call('HGET', KEYS[1], day) or 0)
local before = string.format('%.0f', spent)
if ARGV[1] + 0 > 0 and spent + ARGV[1] > ARGV[2] + 0 then return {0, before} end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], day, string.format('%.0f', math.max(spent + ARGV[1], 0)))
redis.call('EXPIRE', KEYS[1], 172800)
redis.call('SET', KEYS[2], before, 'EX', 600)
return {1, before}
