-- Keeps what an account has left by its limits, less what starts have taken that the platform can't have counted.
-- KEYS  1 room:{account}         hash  see claim_room.lua
--       2 room_claims:{account}  zset  key of each start -> unix seconds from which on the platform counts its run
--       3 room_needs:{account}   hash  key of each start -> MB of memory that it needs
--       4 account_use            hash  alias -> what the limits said (JSON)
-- ARGV  1 unix seconds when the limits were asked for  2 runs left, or "": no limit is known  3 MB left, or ""
--       4 MB that the account may use in all, or ""  5 seconds for which the room is remembered
--       6 alias of the account  7 what the limits said (JSON)
-- Returns nothing
local read_at = tonumber(redis.call('HGET', KEYS[1], 'read_at') or '') or 0
if read_at >= tonumber(ARGV[1]) then return end
for _, key in ipairs(redis.call('ZRANGE', KEYS[2], '-inf', ARGV[1], 'BYSCORE')) do redis.call('HDEL', KEYS[3], key) end
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', ARGV[1])
local taken = 0
for _, needs in ipairs(redis.call('HVALS', KEYS[3])) do taken = taken + needs end
local runs = ARGV[2] ~= '' and ARGV[2] - redis.call('HLEN', KEYS[3]) or ''
local left = ARGV[3] ~= '' and ARGV[3] - taken or ''
redis.call('HSET', KEYS[1], 'read_at', ARGV[1], 'runs', runs, 'memory_mbytes', left, 'most_memory_mbytes', ARGV[4])
for nth = 1, 3 do redis.call('EXPIRE', KEYS[nth], ARGV[5]) end
redis.call('HSET', KEYS[4], ARGV[6], ARGV[7])
