-- The one way in which a job changes: a compare-and-set on (state, epoch) that also sets `due` and writes the timeline.
-- A repeat of the same call (its reply was lost) finds its own token and changes nothing more.
-- KEYS  1 job:{key}     hash    the job
--       2 events:{key}  stream  its timeline
--       3 due           zset    key -> unix seconds when it needs care
--       4 tally         hash    what came of all jobs: see queries/tally.py
--       5 prefix of the hashes budget:{id}:{period}: see booking.lua
--       6 batch:{key}   hash    of a batch's member: the batch, whose counters move in the same step
--       7 batch_live:{key}  set  the batch's members that haven't ended
-- and, as the job's state changes, the zsets state:{s} and state:{s}:{account} and the set that its `open_set` names
-- ARGV  1 key  2 token of this call  3 prefix of the state:{s} zsets
--       4 states in which the change is legal, comma-separated  5 epoch it must have, or ""
--       6 new state, or ""  7 "1": the epoch goes up by one  8 seconds until care, "none", or "" to leave `due`
--       9 event for the timeline, or ""  10 its data (JSON)  11 timeline entries kept
--       12 "1": the new state is an end, and is tallied
--       13 number of guards  14.. guard field, value, ...  then field, value, ...; "@now" stands for the time,
--       and "" takes the field away: empty ones were a twentieth of the ledger
--       A `reservation` among them needs room in each of its budgets
-- Returns {"won" | "lost" | "missing", epoch, state, time}, with attempt and run id behind them where something changed, or {"over", epoch, state, numbers of the reservation's
-- entries that have no room}
local now = redis.call('TIME')
local time = string.format('%d.%06d', now[1], now[2])
local state, epoch, last, waited_for, batch, counted =
  unpack(redis.call('HMGET', KEYS[1], 'state', 'epoch', 'last_change', 'waiting_for', 'batch', 'waiting_counted'))
if not state then return {'missing', '0', '', time} end
if last == ARGV[2] then return {'won', epoch, state, time} end
local legal = (',' .. ARGV[4] .. ','):find(',' .. state .. ',', 1, true)
if not legal or (ARGV[5] ~= '' and ARGV[5] ~= epoch) then return {'lost', epoch, state, time} end
local first = 14 + 2 * ARGV[13]
for i = 14, first - 1, 2 do
  if (redis.call('HGET', KEYS[1], ARGV[i]) or '') ~= ARGV[i + 1] then return {'lost', epoch, state, time} end
end
local reserves = false
for i = first, #ARGV, 2 do
  if ARGV[i] == 'reservation' and ARGV[i + 1] ~= '' then
    local full = without_room(KEYS[5], ARGV[i + 1])
    if full ~= '' then return {'over', epoch, state, full} end
    release(KEYS[5], KEYS[1])
    reserves = true
  end
end
for i = first, #ARGV, 2 do
  local value = ARGV[i + 1]
  if value == '@now' then value = time end
  if value == '' then redis.call('HDEL', KEYS[1], ARGV[i]) else redis.call('HSET', KEYS[1], ARGV[i], value) end
end
redis.call('HSET', KEYS[1], 'last_change', ARGV[2])
if ARGV[7] == '1' then epoch = tostring(redis.call('HINCRBY', KEYS[1], 'epoch', 1)) end
if ARGV[6] ~= '' and ARGV[6] ~= state then
  redis.call('HSET', KEYS[1], 'state', ARGV[6])
  local score = redis.call('ZSCORE', ARGV[3] .. state, ARGV[1]) or time
  local account, open_set = unpack(redis.call('HMGET', KEYS[1], 'account', 'open_set'))
  for _, of in ipairs({'', account and ':' .. account:lower()}) do
    redis.call('ZREM', ARGV[3] .. state .. of, ARGV[1])
    redis.call('ZADD', ARGV[3] .. ARGV[6] .. of, score, ARGV[1])
  end
  if open_set then redis.call(ARGV[12] == '1' and 'SREM' or 'SADD', open_set, ARGV[1]) end
  if batch and redis.call(ARGV[12] == '1' and 'SREM' or 'SADD', KEYS[7], ARGV[1]) == 1 then
    if ARGV[12] == '1' then redis.call('HINCRBY', KEYS[6], 'ended:' .. ARGV[6], 1)
    else redis.call('HINCRBY', KEYS[6], 'ended:' .. state, -1) end
  end
  state = ARGV[6]
  if ARGV[12] == '1' then
    local queued_at, retried_at, raw = unpack(redis.call('HMGET', KEYS[1], 'queued_at', 'retried_at', 'reason'))
    local is_told, reason = pcall(cjson.decode, raw)
    local since = retried_at and retried_at ~= '' and retried_at or queued_at or time
    redis.call('HINCRBY', KEYS[4], 'ended:' .. state .. ':' .. (is_told and reason.code or 'none'), 1)
    redis.call('HINCRBY', KEYS[4], 'ended_ms:' .. state, string.format('%.0f', math.max(time - since, 0) * 1000))
  end
end
local waits_for, cost, spent, tallied, run_id, shared_run, shared, attempt, joins, account, strays, strays_tallied =
  unpack(redis.call('HMGET', KEYS[1], 'waiting_for', 'cost_usd', 'spent_usd', 'tallied_nano_usd', 'run_id',
    'shared_run', 'shared_usd', 'attempt', 'joins', 'account', 'stray_costs', 'strays_nano_usd'))
if waits_for and waits_for ~= '' and waits_for ~= waited_for then
  redis.call('HINCRBY', KEYS[4], 'waits:' .. waits_for, 1)
end
-- without a code of its own it searches for the run of its start, as `Job.waits_for` says
local waits_now = state == 'WAITING' and (waits_for and waits_for ~= '' and waits_for or 'start-unclear') or ''
if (counted or '') ~= waits_now then  -- among those that wait now
  if counted then redis.call('HINCRBY', KEYS[4], 'waiting:' .. counted, -1) end
  if waits_now ~= '' then
    redis.call('HINCRBY', KEYS[4], 'waiting:' .. waits_now, 1)
    redis.call('HSET', KEYS[1], 'waiting_counted', waits_now)
  else
    redis.call('HDEL', KEYS[1], 'waiting_counted')
  end
end
if shared_run and shared_run == run_id and cost ~= shared then  -- its cost is tallied by the job that had it first
  shared = cost
  redis.call('HSET', KEYS[1], 'shared_usd', shared or '')
end
-- whole numbers: a sum of many floats would drift away from what the jobs say
local own_usd = (tonumber(cost or '') or 0) + (tonumber(spent or '') or 0) - (tonumber(shared or '') or 0)
local strays_usd, risen_by_strays = 0, 0
if strays then
  for _, usd in pairs(cjson.decode(strays)) do strays_usd = strays_usd + usd end
  risen_by_strays = math.floor(strays_usd * 1e9 + 0.5) - (tonumber(strays_tallied or '') or 0)
  if risen_by_strays ~= 0 then redis.call('HINCRBY', KEYS[1], 'strays_nano_usd', string.format('%.0f', risen_by_strays)) end
end
local nano_usd = math.floor((own_usd + strays_usd) * 1e9 + 0.5)
local risen = nano_usd - (tonumber(tallied or '') or 0)
if risen ~= 0 then
  redis.call('HSET', KEYS[1], 'tallied_nano_usd', string.format('%.0f', nano_usd))
  local sum = redis.call('HINCRBY', KEYS[4], 'nano_usd', string.format('%.0f', risen))
  if sum > (tonumber(redis.call('HGET', KEYS[4], 'most_nano_usd') or '') or 0) then
    redis.call('HSET', KEYS[4], 'most_nano_usd', string.format('%.0f', sum))
  end
  if joins then  -- each order that joined would have cost this
    redis.call('HINCRBY', KEYS[4], 'saved_nano_usd:joined:' .. account:lower(), string.format('%.0f', risen * joins))
  end
end
book(KEYS[5], KEYS[1], reserves, risen, risen_by_strays)
if batch then
  if risen ~= 0 then redis.call('HINCRBY', KEYS[6], 'nano_usd', string.format('%.0f', risen)) end
  for _, field in ipairs({'items', 'bytes', 'records'}) do
    local is, counted = unpack(redis.call('HMGET', KEYS[1], field, 'batch_' .. field))
    local more = (tonumber(is or '') or 0) - (tonumber(counted or '') or 0)
    if more ~= 0 then
      redis.call('HSET', KEYS[1], 'batch_' .. field, is or 0)
      redis.call('HINCRBY', KEYS[6], field, string.format('%.0f', more))
    end
  end
end
if ARGV[8] == 'none' then redis.call('ZREM', KEYS[3], ARGV[1])
elseif ARGV[8] ~= '' then redis.call('ZADD', KEYS[3], time + ARGV[8], ARGV[1]) end
if ARGV[12] == '1' then
  local end_ = cjson.decode(ARGV[10])
  if end_.reused then
    redis.call('HINCRBY', KEYS[4], 'saved:reused:' .. account:lower(), 1)
    redis.call('HINCRBY', KEYS[4], 'saved_nano_usd:reused:' .. account:lower(),
      string.format('%.0f', (end_.saved_usd or 0) * 1e9))
  end
end
if ARGV[9] == 'guard-broken' or ARGV[9] == 'enough-rows' then
  redis.call('HINCRBY', KEYS[4], ARGV[9] .. ':' .. cjson.decode(ARGV[10]).rule, 1)
end
if ARGV[9] == 'ended' then
  local data = cjson.decode(ARGV[10])
  if data.not_compared then redis.call('HINCRBY', KEYS[4], 'comparisons:failed', 1)
  elseif data.added then
    redis.call('HINCRBY', KEYS[4], 'comparisons:made', 1)
    for _, kind in ipairs({'added', 'removed', 'changed'}) do
      redis.call('HINCRBY', KEYS[4], 'changes:' .. kind, string.format('%.0f', data[kind]))
    end
  end
end
if ARGV[9] ~= '' then
  redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[11], '*', 'at', time, 'event', ARGV[9], 'data', ARGV[10])
end
return {'won', epoch, state, time, attempt or '', run_id or ''}
