-- Parks a job: from here on it is watched by the list of its account's runs.
-- KEYS  1 parked                 hash  key -> what is known of it (JSON)
--       2 parked_runs:{account}  zset  {run id}:{status} -> unix seconds when the run was last seen so
--       3 parked_keys:{account}  hash  run id -> keys of the jobs that wait for it
--       4 fleet:{account}        hash  since (start of the oldest run), every:{seconds} -> jobs with this interval
--       5 fleets                 zset  account -> unix seconds when its runs are looked at
--       6 due                    zset  key -> unix seconds when it needs care
-- ARGV  1 key  2 JSON  3 account  4 run id  5 status  6 unix seconds of the run's start  7 its interval
--       8 seconds until due, unless the runs are looked at
-- Returns 1
local now = redis.call('TIME')
local time = string.format('%d.%06d', now[1], now[2])
if redis.call('HSET', KEYS[1], ARGV[1], ARGV[2]) == 1 then
  redis.call('HINCRBY', KEYS[4], 'every:' .. ARGV[7], 1)
end
redis.call('ZADD', KEYS[2], time, ARGV[4] .. ':' .. ARGV[5])
local keys = redis.call('HGET', KEYS[3], ARGV[4])
if not keys then
  redis.call('HSET', KEYS[3], ARGV[4], ARGV[1])
elseif not (' ' .. keys .. ' '):find(' ' .. ARGV[1] .. ' ', 1, true) then
  redis.call('HSET', KEYS[3], ARGV[4], keys .. ' ' .. ARGV[1])
end
local since = redis.call('HGET', KEYS[4], 'since')
if not since or tonumber(ARGV[6]) < tonumber(since) then redis.call('HSET', KEYS[4], 'since', ARGV[6]) end
redis.call('ZADD', KEYS[6], 'XX', time + ARGV[8], ARGV[1])
redis.call('ZADD', KEYS[5], 'LT', time + ARGV[7], ARGV[3])
return 1
