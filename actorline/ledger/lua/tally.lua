-- What came of all jobs: the hash `tally`, see queries/tally.py. A part of change.lua, which calls it; it comes after
-- booking.lua, whose `number` and `whole` it uses.

local function add(tally, field, more) redis.call('HINCRBY', tally, field, more) end

-- Counts that the job has ended, and how long that took since its order, or its last retry
local function tally_end(tally, job, state, time)
  local queued_at, retried_at, text = unpack(redis.call('HMGET', job, 'queued_at', 'retried_at', 'reason'))
  local is_told, reason = pcall(cjson.decode, text)
  local since = retried_at and retried_at ~= '' and retried_at or queued_at or time
  add(tally, 'ended:' .. state .. ':' .. (is_told and reason.code or 'none'), 1)
  add(tally, 'ended_ms:' .. state, whole(math.max(time - since, 0) * 1000))
end

-- Counts what the job waits for: once each time that it begins to, and among those that wait now
local function tally_wait(tally, job, state, waited_for)
  local waits_for, counted = unpack(redis.call('HMGET', job, 'waiting_for', 'waiting_counted'))
  if waits_for and waits_for ~= '' and waits_for ~= waited_for then add(tally, 'waits:' .. waits_for, 1) end
  -- without a code of its own it searches for the run of its start, as `Job.waits_for` says
  local waits_now = state == 'WAITING' and (waits_for and waits_for ~= '' and waits_for or 'start-unclear') or ''
  if (counted or '') == waits_now then return end
  if counted then add(tally, 'waiting:' .. counted, -1) end
  if waits_now ~= '' then
    add(tally, 'waiting:' .. waits_now, 1)
    redis.call('HSET', job, 'waiting_counted', waits_now)
  else
    redis.call('HDEL', job, 'waiting_counted')
  end
end

-- Counts what the job has cost so far. Returns the nano-dollars by which that has risen, and how many of these are of
-- runs that the job didn't want
local function tally_cost(tally, job)
  local cost, spent, tallied, run_id, shared_run, shared, joins, account, strays, strays_tallied =
    unpack(redis.call('HMGET', job, 'cost_usd', 'spent_usd', 'tallied_nano_usd', 'run_id', 'shared_run', 'shared_usd',
      'joins', 'account', 'stray_costs', 'strays_nano_usd'))
  if shared_run and shared_run == run_id and cost ~= shared then  -- its cost is tallied by the job that had it first
    shared = cost
    redis.call('HSET', job, 'shared_usd', shared or '')
  end
  -- whole numbers: a sum of many floats would drift away from what the jobs say
  local own_usd = number(cost) + number(spent) - number(shared)
  local strays_usd, risen_by_strays = 0, 0
  if strays then
    for _, usd in pairs(cjson.decode(strays)) do strays_usd = strays_usd + usd end
    risen_by_strays = math.floor(strays_usd * 1e9 + 0.5) - number(strays_tallied)
    if risen_by_strays ~= 0 then redis.call('HINCRBY', job, 'strays_nano_usd', whole(risen_by_strays)) end
  end
  local nano_usd = math.floor((own_usd + strays_usd) * 1e9 + 0.5)
  local risen = nano_usd - number(tallied)
  if risen == 0 then return risen, risen_by_strays end
  redis.call('HSET', job, 'tallied_nano_usd', whole(nano_usd))
  local sum = redis.call('HINCRBY', tally, 'nano_usd', whole(risen))
  if sum > number(redis.call('HGET', tally, 'most_nano_usd')) then
    redis.call('HSET', tally, 'most_nano_usd', whole(sum))
  end
  if joins then  -- each order that joined would have cost this
    add(tally, 'saved_nano_usd:joined:' .. account:lower(), whole(risen * joins))
  end
  return risen, risen_by_strays
end

-- Counts what the event says of a run that was saved, of a rule that stopped the job, and of rows that were compared
local function tally_event(tally, job, event, data, is_end)
  local has_rule = event == 'guard-broken' or event == 'enough-rows'
  if not (is_end or has_rule or event == 'ended') then return end
  local told = cjson.decode(data)
  if is_end and told.reused then
    local account = redis.call('HGET', job, 'account'):lower()
    add(tally, 'saved:reused:' .. account, 1)
    add(tally, 'saved_nano_usd:reused:' .. account, whole((told.saved_usd or 0) * 1e9))
  end
  if has_rule then add(tally, event .. ':' .. told.rule, 1) end
  if event == 'ended' and told.not_compared then
    add(tally, 'comparisons:failed', 1)
  elseif event == 'ended' and told.added then
    add(tally, 'comparisons:made', 1)
    for _, kind in ipairs({'added', 'removed', 'changed'}) do add(tally, 'changes:' .. kind, whole(told[kind])) end
  end
end
