-- Plans the next look at an account's runs, or none while no job is parked.
-- KEYS  1 parked_runs:{account}  zset  {run id}:{status} -> unix seconds when the run was last seen so
--       2 parked_keys:{account}  hash  run id -> keys of the jobs that wait for it
--       3 fleet:{account}        hash  what is known of the account's parked jobs: see park.lua
--       4 fleets                 zset  account -> unix seconds when its runs are looked at
-- ARGV  1 account  2 seconds until the next look
-- Returns 1, or 0 if there is none
if redis.call('ZCARD', KEYS[1]) == 0 then
  redis.call('ZREM', KEYS[4], ARGV[1])
  redis.call('DEL', KEYS[2], KEYS[3])
  return 0
end
redis.call('ZADD', KEYS[4], redis.call('TIME')[1] + ARGV[2], ARGV[1])
return 1
