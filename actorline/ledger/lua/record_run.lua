-- Keeps a run id, whatever the job's state: a run id is never refused. If the job is waiting for it, it becomes the
-- job's run; otherwise it is a stray, which upkeep aborts. Safe to repeat. A run that another job had before is named
-- in the job as `shared_run`: its cost is tallied there already.
-- KEYS  1 job:{key}        hash    the job
--       2 events:{key}     stream  its timeline
--       3 due              zset    key -> unix seconds when it needs care
--       4 runs:{key}       hash    attempt -> every run id ever seen for it (JSON list)
--       5 strays           hash    run id -> key
--       6 run_keys         hash    run id -> key, of every run ever seen
--       7 tally            hash    what came of all jobs: see queries/tally.py
-- ARGV  1 key  2 attempt  3 run id  4 prefix of the state:{s} zsets  5 states that wait for a run, comma-separated
--       6 seconds until due  7 timeline entries kept  8 event data (JSON)  9 "1" if the run was found, not started
--       10 epoch of the execution; if the job has another one by now, or isn't wanted any more, it is due at once
--       11 state of a job whose run is known
-- Returns {"won" | "stray", epoch}
local job, events, due, runs, strays, run_keys, tally = unpack(KEYS)
local key, attempt, run_id, lists, waiting_states, due_in_s, kept, data, found, epoch, running = unpack(ARGV)
local now = redis.call('TIME')
local time = string.format('%d.%06d', now[1], now[2])

-- Returns whether the run was known
local function remember_run()
  local seen = cjson.decode(redis.call('HGET', runs, attempt) or '[]')
  for _, id in ipairs(seen) do
    if id == run_id then return true end
  end
  seen[#seen + 1] = run_id
  redis.call('HSET', runs, attempt, cjson.encode(seen))
  if redis.call('HSET', run_keys, run_id, key) == 1 then
    redis.call('HINCRBY', tally, found == '1' and 'runs:found' or 'runs:started', 1)
  else
    redis.call('HSET', job, 'shared_run', run_id)
  end
  return false
end

local was_known = remember_run()
local state, epoch_now, attempt_now, run_id_now, stop_wish, counted =
  unpack(redis.call('HMGET', job, 'state', 'epoch', 'attempt', 'run_id', 'wanted', 'waiting_counted'))
local waits = state and (',' .. waiting_states .. ','):find(',' .. state .. ',', 1, true)
local is_own = run_id_now == run_id and attempt_now == attempt
if is_own and not waits then return {'won', epoch_now} end  -- it waits again if an order to collect this run is retried
if not is_own and (not waits or attempt_now ~= attempt or (run_id_now and run_id_now ~= '')) then
  if not was_known or found == '1' then  -- a late reply to a start: its run was the job's, or a stray, before
    redis.call('HSET', strays, run_id, key)
    redis.call('XADD', events, 'MAXLEN', '~', kept, '*', 'at', time, 'event', 'stray-run', 'data', data)
  end
  return {'stray', epoch_now or '0'}
end
if counted then redis.call('HINCRBY', tally, 'waiting:' .. counted, -1) end
move_in_lists(lists, job, key, state, running, time)
redis.call('HSET', job, 'state', running, 'run_id', run_id, 'run_status', 'READY', 'started_at', time, 'sent_at', time)
redis.call('HDEL', job, 'intent', 'waiting_counted', 'failures', 'adopted')
if found == '1' then redis.call('HSET', job, 'adopted', 1) end
if epoch_now ~= epoch or (stop_wish and stop_wish ~= '') then
  redis.call('HSET', job, 'resume', 1)
  redis.call('ZADD', due, time, key)
else
  redis.call('ZADD', due, time + due_in_s, key)
end
redis.call('XADD', events, 'MAXLEN', '~', kept, '*', 'at', time, 'event', 'run-known', 'data', data)
return {'won', epoch_now}
