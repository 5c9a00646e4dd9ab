-- Changes a batch: a compare-and-set on its state and on guards that also sets when it is due and writes the timeline.
-- A repeat of the same call (its reply was lost) finds its own token and changes nothing more.
-- KEYS  1 batch:{key}   hash    the batch
--       2 events:{key}  stream  its timeline
--       3 batch_due     zset    key -> unix seconds when it needs care
-- ARGV  1 key  2 token of this call  3 states in which the change is legal, comma-separated  4 new state, or ""
--       5 seconds until due, "none", or "" to leave `batch_due`  6 event for the timeline, or ""  7 its data (JSON)
--       8 timeline entries kept  9 number of guards
--       10.. guard field, value, ...  then field, value, ...; "@now" stands for the time
-- Returns 1 (changed) or 0
local batch, events, batch_due = unpack(KEYS)
local key, token, legal_states, new_state, due_in_s, event, data, kept, guards = unpack(ARGV, 1, 9)
local first_field = 10 + 2 * guards
local now = redis.call('TIME')
local time = string.format('%d.%06d', now[1], now[2])
local state, last = unpack(redis.call('HMGET', batch, 'state', 'last_change'))
if not state then return 0 end
if last == token then return 1 end
if not (',' .. legal_states .. ','):find(',' .. state .. ',', 1, true) then return 0 end
for i = 10, first_field - 1, 2 do
  if (redis.call('HGET', batch, ARGV[i]) or '') ~= ARGV[i + 1] then return 0 end
end
for i = first_field, #ARGV, 2 do
  redis.call('HSET', batch, ARGV[i], ARGV[i + 1] == '@now' and time or ARGV[i + 1])
end
redis.call('HSET', batch, 'last_change', token)
if new_state ~= '' then redis.call('HSET', batch, 'state', new_state) end
if due_in_s == 'none' then redis.call('ZREM', batch_due, key)
elseif due_in_s ~= '' then redis.call('ZADD', batch_due, time + due_in_s, key) end
if event ~= '' then
  redis.call('XADD', events, 'MAXLEN', '~', kept, '*', 'at', time, 'event', event, 'data', data)
end
return 1
