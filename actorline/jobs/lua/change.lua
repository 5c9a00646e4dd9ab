-- The one way in which a job changes: a compare-and-set on (state, epoch) that also sets `due` and tells the timeline.
-- A repeat of the same call (its reply was lost) finds its own token and changes nothing more.
-- KEYS  1 job:{key}     hash    the job
--       2 events:{key}  stream  its timeline
--       3 due           zset    key -> unix seconds when it needs care
-- ARGV  1 key  2 token of this call  3 prefix of the state:{s} zsets
--       4 states in which the change is legal, comma-separated  5 epoch it must have, or ""
--       6 new state, or ""  7 "1": the epoch goes up by one  8 seconds until care, "none", or "" to leave `due`
--       9 event for the timeline, or ""  10 its data (JSON)  11 timeline entries kept
--       12 number of guards  13.. guard field, value, ...  then field, value, ...; "@now" stands for the time
-- Returns {"won" | "lost" | "missing", epoch, state, time}
local now = redis.call('TIME')
local time = string.format('%d.%06d', now[1], now[2])
local state, epoch, last = unpack(redis.call('HMGET', KEYS[1], 'state', 'epoch', 'last_change'))
if not state then return {'missing', '0', '', time} end
if last == ARGV[2] then return {'won', epoch, state, time} end
local legal = (',' .. ARGV[4] .. ','):find(',' .. state .. ',', 1, true)
if not legal or (ARGV[5] ~= '' and ARGV[5] ~= epoch) then return {'lost', epoch, state, time} end
local first = 13 + 2 * ARGV[12]
for i = 13, first - 1, 2 do
  if (redis.call('HGET', KEYS[1], ARGV[i]) or '') ~= ARGV[i + 1] then return {'lost', epoch, state, time} end
end
for i = first, #ARGV, 2 do
  local value = ARGV[i + 1]
  if value == '@now' then value = time end
  redis.call('HSET', KEYS[1], ARGV[i], value)
end
redis.call('HSET', KEYS[1], 'last_change', ARGV[2])
if ARGV[7] == '1' then epoch = tostring(redis.call('HINCRBY', KEYS[1], 'epoch', 1)) end
if ARGV[6] ~= '' and ARGV[6] ~= state then
  redis.call('HSET', KEYS[1], 'state', ARGV[6])
  local score = redis.call('ZSCORE', ARGV[3] .. state, ARGV[1]) or time
  redis.call('ZREM', ARGV[3] .. state, ARGV[1])
  redis.call('ZADD', ARGV[3] .. ARGV[6], score, ARGV[1])
  state = ARGV[6]
end
if ARGV[8] == 'none' then redis.call('ZREM', KEYS[3], ARGV[1])
elseif ARGV[8] ~= '' then redis.call('ZADD', KEYS[3], time + ARGV[8], ARGV[1]) end
if ARGV[9] ~= '' then
  redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[11], '*', 'at', time, 'event', ARGV[9], 'data', ARGV[10])
end
return {'won', epoch, state, time}
