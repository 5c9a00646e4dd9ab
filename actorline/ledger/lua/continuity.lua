-- Says when the ledger's history was last interrupted: another server, an older copy, an emptied ledger, or nobody there to
-- see that it didn't. What was written after the last beat before the break may be lost; what was written earlier isn't,
-- for Redis keeps its writes in order.
-- KEYS  1 continuity  hash  run_id of the server, gap (unix seconds when a break was last seen), beat (unix seconds)
--       2 gaps        zset  gap -> unix seconds since when writes may be lost
-- ARGV  1 the last beat that this process saw, or 0  2 seconds after which a beat is too old
--       3 seconds that may be lost where there is no beat  4 gaps that are kept
-- Returns {gap, beat}
local now = redis.call('TIME')
local time = string.format('%d.%06d', now[1], now[2])
local server = redis.call('INFO', 'server'):match('run_id:(%w+)')
local run_id, gap, beat = unpack(redis.call('HMGET', KEYS[1], 'run_id', 'gap', 'beat'))
if not gap or run_id ~= server or tonumber(beat) < tonumber(ARGV[1]) or time - beat > tonumber(ARGV[2]) then
  -- later than anything that the server before has written, though its clock may have been ahead
  gap = string.format('%.6f', math.max(time, (tonumber(beat or '') or 0) + 2))
  redis.call('ZADD', KEYS[2], beat or time - ARGV[3], gap)
  redis.call('ZREMRANGEBYRANK', KEYS[2], ARGV[4], -1)
end
redis.call('HSET', KEYS[1], 'run_id', server, 'gap', gap, 'beat', time)
return {gap, time}
