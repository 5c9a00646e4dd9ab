-- Keeps how far a schedule has come, unless another beat has decided since it was read. Safe to repeat.
-- KEYS  1 schedules  hash  schedule name -> its place (JSON)
-- ARGV  1 name  2 the place as it was read; "" for none  3 the new place, which holds a token of this call
-- Returns 1 (kept) or 0 (another was first)
local now = redis.call('HGET', KEYS[1], ARGV[1]) or ''
if now == ARGV[3] then return 1 end
if now ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 1
