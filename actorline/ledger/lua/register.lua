-- Creates a job, or joins the one that has its key; keeps the caller either way. Safe to repeat.
-- KEYS  1 job:{key}     hash    the job
--       2 events:{key}  stream  its timeline
--       3 callers:{key} hash    Celery task id -> continuation (JSON)
--       4 ids           hash    Celery task id -> key
--       5 job_ids:{key} set     its callers' ids in `ids`
--       6 due           zset    key -> unix seconds when it needs care
--       7 state:QUEUED  zset    key -> queued_at, for listing
--       8 tally         hash    what came of all jobs: see queries/tally.py
--       9 spent:{name}  hash    what the orders of the sender's API key may cost today: see spend.lua
--       10 state:QUEUED:{account}  zset  the same as 7, of one account
--       11 open:{name}  set     keys of the jobs that were ordered with the sender's API key and haven't ended
--       12 deadlines    zset    key -> unix seconds at which it expires
--       13 batch:{key}  hash    the batch that has the key already
--       14 batch:{batch}     hash  of a key that has the form of a member's: the batch that it belongs to
--       15 batch_live:{batch}  set  its members that haven't ended
--       16.. zsets like 7 of jobs in all states: actor:{name}, unless it was ordered by its ID, and label:{label} of
--            each
-- ARGV  1 key  2 body hash  3 token of this call  4 seconds until due  5 timeline entries kept
--       6 caller's task id or ""  7 continuation (JSON) or ""  8 who ordered (JSON)
--       9 nano-dollars that a new job may cost  10 nano-dollars that the key may spend a day, or ""
--       11 the hash by an earlier version's rules, or ""  12 open jobs that the key may have, or ""
--       13 seconds until its deadline, or ""  14 a member's number in its batch, or ""
--       15 open jobs that there may be, or ""  16 prefix of the state:{s} zsets
--       17 states of open jobs, comma-separated
--       18.. field, value, ... of a new job
-- Returns {"created" | "joined" | "conflict", hash of the job that exists, its state}, {"over", nano-dollars that
-- today's orders take already, ""}, {"full" | "overload", "", ""} where a new job would be one too many of its key's or
-- of all, {"reserved", "", ""} for a key of a batch or its members, or {"stopped", "", ""} for a member of a batch that
-- makes no more
local job, events, callers, ids, job_ids, due, queued, tally, day_sums, queued_of_account, open_of_holder, deadlines,
  batch_of_key, batch, batch_live = unpack(KEYS, 1, 15)
local key, body_hash, token, due_in_s, kept, caller, continuation, sender, nano_usd, most_nano_usd, earlier_hash,
  most_of_holder, deadline_s, member_no, most_open, lists, open_states = unpack(ARGV, 1, 17)
local is_member = member_no ~= ''
local now = redis.call('TIME')
local time = string.format('%d.%06d', now[1], now[2])
local day = tostring(math.floor(now[1] / 86400))
local function spent_today() return tonumber(redis.call('HGET', day_sums, day) or 0) end

-- Returns the reply to an order that may create no job, or nil
local function refusal()
  if most_open ~= '' then
    local open = 0
    for state in open_states:gmatch('[^,]+') do open = open + redis.call('ZCARD', lists .. state) end
    if open >= tonumber(most_open) then return {'overload', '', ''} end
  end
  if is_member then
    local state, stop_wish = unpack(redis.call('HMGET', batch, 'state', 'wanted'))
    if state ~= 'RUNNING' or (stop_wish and stop_wish ~= '') then return {'stopped', '', ''} end
    -- members are made in their order: one that has room again must not leave out those before it
    local made = tonumber(redis.call('HGET', batch, 'made') or 0)
    if most_of_holder ~= '' and tonumber(member_no) > made then return {'full', '', ''} end
  end
  if most_of_holder ~= '' and redis.call('SCARD', open_of_holder) >= tonumber(most_of_holder) then
    return {'full', '', ''}
  end
  if most_nano_usd ~= '' and spent_today() + nano_usd > tonumber(most_nano_usd) then
    return {'over', string.format('%.0f', spent_today()), ''}
  end
end

local function count_for_the_day()
  local sum = spent_today() + nano_usd
  redis.call('DEL', day_sums)
  redis.call('HSET', day_sums, day, string.format('%.0f', sum))
  redis.call('EXPIRE', day_sums, 172800)
end

local function add_to_batch()
  redis.call('SADD', batch_live, key)
  if tonumber(member_no) >= tonumber(redis.call('HGET', batch, 'made') or 0) then
    redis.call('HSET', batch, 'made', member_no + 1)
  end
end

local function create()
  redis.call('HSET', job, 'key', key, 'hash', body_hash, 'last_change', token, 'queued_at', time, 'state', 'QUEUED',
    'epoch', 1, 'attempt', 1, 'sent_at', time, 'resume', 1)
  for i = 18, #ARGV, 2 do redis.call('HSET', job, ARGV[i], ARGV[i + 1]) end
  redis.call('ZADD', queued, time, key)
  redis.call('ZADD', queued_of_account, time, key)
  for i = 16, #KEYS do redis.call('ZADD', KEYS[i], time, key) end
  if most_of_holder ~= '' then
    redis.call('SADD', open_of_holder, key)
    redis.call('HSET', job, 'open_set', open_of_holder)
  end
  redis.call('ZADD', due, time + due_in_s, key)
  if deadline_s ~= '' then redis.call('ZADD', deadlines, time + deadline_s, key) end
  redis.call('XADD', events, 'MAXLEN', '~', kept, '*', 'at', time, 'event', 'queued', 'data', sender)
  redis.call('HINCRBY', tally, 'queued', 1)
end

-- Counts what is saved by an order that joins a job, once
local function count_join()
  local join, cost, account = unpack(redis.call('HMGET', job, 'last_join', 'tallied_nano_usd', 'account'))
  if join == token then return end
  redis.call('HSET', job, 'last_join', token)
  redis.call('HINCRBY', job, 'joins', 1)
  redis.call('HINCRBY', tally, 'saved:joined:' .. account:lower(), 1)
  if cost then redis.call('HINCRBY', tally, 'saved_nano_usd:joined:' .. account:lower(), cost) end
end

local hash, batch_of_job, state, last_change = unpack(redis.call('HMGET', job, 'hash', 'batch', 'state', 'last_change'))
local outcome = 'joined'
if redis.call('EXISTS', batch_of_key) == 1 or (not is_member and redis.call('EXISTS', batch) == 1) then
  return {'reserved', '', ''}
elseif hash and is_member and not batch_of_job then
  return {'conflict', hash, state}
elseif not hash then
  local refused = refusal()
  if refused then return refused end
  if is_member then add_to_batch() end
  if most_nano_usd ~= '' then count_for_the_day() end
  create()
  hash, state, outcome = body_hash, 'QUEUED', 'created'
elseif hash ~= body_hash and hash ~= earlier_hash then
  return {'conflict', hash, state}
elseif last_change == token then
  outcome = 'created'
elseif not is_member then  -- a batch that makes its members again avoids nothing
  count_join()
end
if caller ~= '' then
  redis.call('HSET', callers, caller, continuation)
  redis.call('HSET', ids, caller, key)
  redis.call('SADD', job_ids, caller)
end
return {outcome, hash, state}
