-- Removes an ended job, unless it was set going again meanwhile, or one of its runs is still to be aborted. Safe to
-- repeat: one that is gone counts as removed.
-- KEYS  1 job:{key}      hash   the job
--       2 state:{s}      zset   key -> queued_at, of its state
--       3 due            zset   key -> unix seconds when it needs care
--       4 ids            hash   Celery task id -> key
--       5 job_ids:{key}  set    its callers' ids in `ids`
--       6 runs:{key}     hash   attempt -> every run id ever seen for it (JSON list)
--       7 run_keys       hash   run id -> key
--       8 strays         hash   run id -> key, of runs to abort
--       9 markers        hash   digest -> key
--       10 like:{likeness}  string  key of the latest delivery of jobs that are alike
--       11 room_claims:{account}  zset  key -> unix seconds from which on the platform counts its run
--       12 room_needs:{account}   hash  key -> MB of memory that its run needs
--       13 lost_runs:{account}    hash  {digest}.{attempt} -> runs that the ledger had forgotten (JSON list)
--       14 forgotten_runs  zset  run id -> unix seconds until which it is left out of searches
--       15 stage_ids:{key}  set  its stages' ids in `ids`
--       16 open:{api key}  set  where it would be counted among its API key's open jobs
--       17.. zsets that list it, of key -> queued_at, as many as ARGV[7]; then what else is its own: removed
-- ARGV  1 key  2 state that it must have  3 ended_at that it must have, or ""  4 its digest in `markers`  5 attempts
--       6 seconds for which its runs are left out of searches, or 0  7 number of those zsets
-- Returns 1 (removed) or 0
local state, ended_at = unpack(redis.call('HMGET', KEYS[1], 'state', 'ended_at'))
if state and (state ~= ARGV[2] or tonumber(ended_at or '') ~= tonumber(ARGV[3])) then return 0 end
local runs = {}
for _, seen in ipairs(redis.call('HVALS', KEYS[6])) do
  for _, id in ipairs(cjson.decode(seen)) do
    if redis.call('HGET', KEYS[8], id) == ARGV[1] then return 0 end
    runs[#runs + 1] = id
  end
end
local now, kept_s = tonumber(redis.call('TIME')[1]), tonumber(ARGV[6])
for _, id in ipairs(runs) do
  if redis.call('HGET', KEYS[7], id) == ARGV[1] then redis.call('HDEL', KEYS[7], id) end
  if kept_s > 0 then redis.call('ZADD', KEYS[14], now + kept_s, id) end
end
if kept_s > 0 then
  redis.call('ZREMRANGEBYSCORE', KEYS[14], '-inf', now)
  redis.call('EXPIRE', KEYS[14], kept_s)
end
for attempt = 1, tonumber(ARGV[5]) do redis.call('HDEL', KEYS[13], ARGV[4] .. '.' .. attempt) end
for _, id in ipairs(redis.call('SUNION', KEYS[5], KEYS[15])) do redis.call('HDEL', KEYS[4], id) end
redis.call('HDEL', KEYS[9], ARGV[4])
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('ZREM', KEYS[3], ARGV[1])
redis.call('DEL', KEYS[1], KEYS[5], KEYS[6], KEYS[15])
if redis.call('GET', KEYS[10]) == ARGV[1] then redis.call('DEL', KEYS[10]) end
redis.call('ZREM', KEYS[11], ARGV[1])
redis.call('HDEL', KEYS[12], ARGV[1])
redis.call('SREM', KEYS[16], ARGV[1])
local lists_end = 16 + tonumber(ARGV[7])
for i = 17, lists_end do redis.call('ZREM', KEYS[i], ARGV[1]) end
for i = lists_end + 1, #KEYS do redis.call('DEL', KEYS[i]) end
return 1
