-- Claims poll number n, so that a doubled message can't fork the polling. A claim holds for a while: the same number
-- can be taken over from an execution that died in it. Once the run was looked at, the poller sets `poll_until` behind
-- the next poll, which may be an hour away.
-- KEYS  1 job:{key}  hash  the job
-- ARGV  1 epoch  2 number  3 token of the execution  4 seconds that the claim holds
-- Returns the job's FIELDS if it was claimed, else nothing
local time = tonumber(redis.call('TIME')[1])
local epoch, no, holder, held_until = unpack(redis.call('HMGET', KEYS[1], 'epoch', 'poll_no', 'poll_by', 'poll_until'))
if epoch ~= ARGV[1] then return {} end
local mine, last = tonumber(ARGV[2]), tonumber(no or '') or -1
if mine < last then return {} end
if mine == last and holder ~= ARGV[3] and time < (tonumber(held_until or '') or 0) then return {} end
redis.call('HSET', KEYS[1], 'poll_no', ARGV[2], 'poll_by', ARGV[3], 'poll_until', time + ARGV[4])
return redis.call('HMGET', KEYS[1], unpack(FIELDS))
