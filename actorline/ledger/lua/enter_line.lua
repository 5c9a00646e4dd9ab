-- Puts a waiting job into the line of its account, or of a budget, where it costs nothing: it has no `due` but its deadline.
-- KEYS  1 job:{key}              hash  the job
--       2 due                    zset  key -> unix seconds when it needs care
--       3 line:{account} or budget_line:{id}  zset  key -> its place
--       4 lines or budget_lines  zset  account or budget -> unix seconds when its line is looked at
--       5 pace:{account}         hash  how many are called at a time: see capacity_line.py; a budget has none
-- ARGV  1 key  2 epoch that it must have  3 its place  4 account or budget  5 unix seconds of its deadline, or ""
--       6 "refused": by the platform, just now; "full": its account is, by its limits; or ""
--       7 seconds for which a pace is remembered
-- Returns 1, or 0 if the job waits no more, or isn't wanted any more
local job, due, line, lines, pace = unpack(KEYS)
local key, legal_epoch, place, account, deadline, cause, kept_s = unpack(ARGV)
local state, epoch, stop_wish = unpack(redis.call('HMGET', job, 'state', 'epoch', 'wanted'))
if state ~= 'WAITING' or epoch ~= legal_epoch or (stop_wish and stop_wish ~= '') then return 0 end
redis.call('ZADD', line, place, key)
if deadline == '' then redis.call('ZREM', due, key) else redis.call('ZADD', due, deadline, key) end
if cause ~= '' then
  redis.call('HSET', pace, cause, 1)
  redis.call('EXPIRE', pace, kept_s)
end
local wait_s = tonumber(redis.call('HGET', pace, 'wait_s') or '') or 1
redis.call('ZADD', lines, 'NX', redis.call('TIME')[1] + wait_s, account)
return 1
