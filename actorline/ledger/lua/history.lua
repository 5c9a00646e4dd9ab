-- Says when the ledger's history was last interrupted: another server, an older copy, an emptied ledger, or nobody
-- there to see that nothing happened. What was written after the last beat before the break may be lost; what was
-- written earlier isn't, for Redis keeps its writes in order. A part of continuity.lua and begin_start.lua.
-- `continuity`  hash  run_id of the server, gap (unix seconds when a break was last seen), beat (unix seconds)
-- `gaps`        zset  gap -> unix seconds since when writes may be lost; `kept` of them
-- `seen`: the last beat that this process saw, or 0; `old_s`: seconds after which a beat is too old; `unknown_s`:
-- seconds that may be lost where there is no beat
-- Returns gap, beat
local function beat(continuity, gaps, seen, old_s, unknown_s, kept)
  local now = redis.call('TIME')
  local time = string.format('%d.%06d', now[1], now[2])
  local server = redis.call('INFO', 'server'):match('run_id:(%w+)')
  local run_id, gap, last = unpack(redis.call('HMGET', continuity, 'run_id', 'gap', 'beat'))
  if not gap or run_id ~= server or tonumber(last) < tonumber(seen) or time - last > tonumber(old_s) then
    -- later than anything that the server before has written, though its clock may have been ahead
    gap = string.format('%.6f', math.max(time, (tonumber(last or '') or 0) + 2))
    redis.call('ZADD', gaps, last or time - unknown_s, gap)
    redis.call('ZREMRANGEBYRANK', gaps, kept, -1)
  end
  redis.call('HSET', continuity, 'run_id', server, 'gap', gap, 'beat', time)
  return gap, time
end
