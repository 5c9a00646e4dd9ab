-- Keeps a run id, whatever the job's state: a run id is never refused. If the job is waiting for it, it becomes the
-- job's run; otherwise it is a stray, which upkeep aborts. Safe to repeat. A run that another job had before is named in
-- the job as `shared_run`: its cost is tallied there already.
-- KEYS  1 job:{key}        hash    the job
--       2 events:{key}     stream  its timeline
--       3 due              zset    key -> unix seconds when it needs care
--       4 runs:{key}       hash    attempt -> every run id ever seen for it (JSON list)
--       5 strays           hash    run id -> key
--       6 run_keys         hash    run id -> key, of every run ever seen
--       7 tally            hash    what came of all jobs: see queries/tally.py
-- ARGV  1 key  2 attempt  3 run id  4 prefix of the state:{s} zsets  5 states that wait for a run, comma-separated
--       6 seconds until care  7 timeline entries kept  8 event data (JSON)  9 "1" if the run was found, not started
--       10 epoch of the execution; if the job has another one by now, or isn't wanted any more, it is due at once
--       11 state of a job whose run is known
-- Returns {"won" | "stray", epoch}
local now = redis.call('TIME')
local time = string.format('%d.%06d', now[1], now[2])
local seen = cjson.decode(redis.call('HGET', KEYS[4], ARGV[2]) or '[]')
local known = false
for _, id in ipairs(seen) do known = known or id == ARGV[3] end
if not known then
  seen[#seen + 1] = ARGV[3]
  redis.call('HSET', KEYS[4], ARGV[2], cjson.encode(seen))
  if redis.call('HSET', KEYS[6], ARGV[3], ARGV[1]) == 1 then
    redis.call('HINCRBY', KEYS[7], ARGV[9] == '1' and 'runs:found' or 'runs:started', 1)
  else
    redis.call('HSET', KEYS[1], 'shared_run', ARGV[3])
  end
end
local state, epoch, attempt, run_id, wanted =
  unpack(redis.call('HMGET', KEYS[1], 'state', 'epoch', 'attempt', 'run_id', 'wanted'))
if run_id == ARGV[3] and attempt == ARGV[2] then return {'won', epoch} end
local waits = state and (',' .. ARGV[5] .. ','):find(',' .. state .. ',', 1, true)
if not waits or attempt ~= ARGV[2] or (run_id and run_id ~= '') then
  redis.call('HSET', KEYS[5], ARGV[3], ARGV[1])
  redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[7], '*', 'at', time, 'event', 'stray-run', 'data', ARGV[8])
  return {'stray', epoch or '0'}
end
local score = redis.call('ZSCORE', ARGV[4] .. state, ARGV[1]) or time
local account, counted = unpack(redis.call('HMGET', KEYS[1], 'account', 'waiting_counted'))
if counted then redis.call('HINCRBY', KEYS[7], 'waiting:' .. counted, -1) end
for _, of in ipairs({'', account and ':' .. account:lower()}) do
  redis.call('ZREM', ARGV[4] .. state .. of, ARGV[1])
  redis.call('ZADD', ARGV[4] .. ARGV[11] .. of, score, ARGV[1])
end
redis.call('HSET', KEYS[1], 'state', ARGV[11], 'run_id', ARGV[3], 'run_status', 'READY', 'started_at', time,
  'sent_at', time)
redis.call('HDEL', KEYS[1], 'intent', 'waiting_counted', 'failures', 'adopted')
if ARGV[9] == '1' then redis.call('HSET', KEYS[1], 'adopted', 1) end
if epoch ~= ARGV[10] or (wanted and wanted ~= '') then
  redis.call('HSET', KEYS[1], 'resume', 1)
  redis.call('ZADD', KEYS[3], time, ARGV[1])
else
  redis.call('ZADD', KEYS[3], time + ARGV[6], ARGV[1])
end
redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[7], '*', 'at', time, 'event', 'run-known', 'data', ARGV[8])
return {'won', epoch}
