-- Changes a batch: a compare-and-set on its state and on guards that also sets when it is due and writes the timeline.
-- A repeat of the same call (its reply was lost) finds its own token and changes nothing more.
-- KEYS  1 batch:{key}   hash    the batch
--       2 events:{key}  stream  its timeline
--       3 batch_due     zset    key -> unix seconds when it needs care
-- ARGV  1 key  2 token of this call  3 states in which the change is legal, comma-separated  4 new state, or ""
--       5 seconds until care, "none", or "" to leave `batch_due`  6 event for the timeline, or ""  7 its data (JSON)
--       8 timeline entries kept  9 number of guards
--       10.. guard field, value, ...  then field, value, ...; "@now" stands for the time
-- Returns 1 (changed) or 0
local now = redis.call('TIME')
local time = string.format('%d.%06d', now[1], now[2])
local state, last = unpack(redis.call('HMGET', KEYS[1], 'state', 'last_change'))
if not state then return 0 end
if last == ARGV[2] then return 1 end
if not (',' .. ARGV[3] .. ','):find(',' .. state .. ',', 1, true) then return 0 end
local first = 10 + 2 * ARGV[9]
for i = 10, first - 1, 2 do
  if (redis.call('HGET', KEYS[1], ARGV[i]) or '') ~= ARGV[i + 1] then return 0 end
end
for i = first, #ARGV, 2 do
  redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1] == '@now' and time or ARGV[i + 1])
end
redis.call('HSET', KEYS[1], 'last_change', ARGV[2])
if ARGV[4] ~= '' then redis.call('HSET', KEYS[1], 'state', ARGV[4]) end
if ARGV[5] == 'none' then redis.call('ZREM', KEYS[3], ARGV[1])
elseif ARGV[5] ~= '' then redis.call('ZADD', KEYS[3], time + ARGV[5], ARGV[1]) end
if ARGV[6] ~= '' then
  redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[8], '*', 'at', time, 'event', ARGV[6], 'data', ARGV[7])
end
return 1
