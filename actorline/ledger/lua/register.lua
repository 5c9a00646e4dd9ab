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
--       16.. zsets like 7 of jobs in all states: actor:{name}, unless it was ordered by its ID, and label:{label} of each
-- ARGV  1 key  2 body hash  3 token of this call  4 seconds until care  5 timeline entries kept
--       6 caller's task id or ""  7 continuation (JSON) or ""  8 who ordered (JSON)
--       9 nano-dollars that a new job may cost  10 nano-dollars that the key may spend a day, or ""
--       11 the hash by an earlier version's rules, or ""  12 open jobs that the key may have, or ""
--       13 seconds until its deadline, or ""  14 a member's number in its batch, or ""
--       15 open jobs that there may be, or ""  16 prefix of the state:{s} zsets  17 states of open jobs, comma-separated
--       18.. field, value, ... of a new job
-- Returns {"created" | "joined" | "conflict", hash of the job that exists, its state}, {"over", nano-dollars that today's
-- orders take already, ""}, {"full" | "overload", "", ""} where a new job would be one too many of its key's or of all, {"reserved", "", ""} for a key of a
-- batch or its members, or {"stopped", "", ""} for a member of a batch that makes no more
local now = redis.call('TIME')
local time = string.format('%d.%06d', now[1], now[2])
local hash, batch = unpack(redis.call('HMGET', KEYS[1], 'hash', 'batch'))
local outcome = 'joined'
if redis.call('EXISTS', KEYS[13]) == 1 or (ARGV[14] == '' and redis.call('EXISTS', KEYS[14]) == 1) then
  return {'reserved', '', ''}
end
if ARGV[14] ~= '' and hash and not batch then
  return {'conflict', hash, redis.call('HGET', KEYS[1], 'state')}
end
if not hash then
  if ARGV[15] ~= '' then
    local open = 0
    for state in ARGV[17]:gmatch('[^,]+') do open = open + redis.call('ZCARD', ARGV[16] .. state) end
    if open >= tonumber(ARGV[15]) then return {'overload', '', ''} end
  end
  if ARGV[14] ~= '' then
    local state, wanted = unpack(redis.call('HMGET', KEYS[14], 'state', 'wanted'))
    if state ~= 'RUNNING' or (wanted and wanted ~= '') then return {'stopped', '', ''} end
    redis.call('SADD', KEYS[15], ARGV[1])
    if ARGV[14] + 0 >= (redis.call('HGET', KEYS[14], 'made') or 0) + 0 then redis.call('HSET', KEYS[14], 'made', ARGV[14] + 1) end
  end
  if ARGV[12] ~= '' and redis.call('SCARD', KEYS[11]) >= tonumber(ARGV[12]) then return {'full', '', ''} end
  if ARGV[10] ~= '' then
    local day = tostring(math.floor(now[1] / 86400))
    local spent = tonumber(redis.call('HGET', KEYS[9], day) or 0)
    if spent + ARGV[9] > ARGV[10] + 0 then return {'over', string.format('%.0f', spent), ''} end
    redis.call('DEL', KEYS[9])
    redis.call('HSET', KEYS[9], day, string.format('%.0f', spent + ARGV[9]))
    redis.call('EXPIRE', KEYS[9], 172800)
  end
  redis.call('HSET', KEYS[1], 'key', ARGV[1], 'hash', ARGV[2], 'last_change', ARGV[3], 'queued_at', time, 'state', 'QUEUED',
    'epoch', 1, 'attempt', 1, 'sent_at', time, 'resume', 1)
  for i = 18, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
  redis.call('ZADD', KEYS[7], time, ARGV[1])
  redis.call('ZADD', KEYS[10], time, ARGV[1])
  for i = 16, #KEYS do redis.call('ZADD', KEYS[i], time, ARGV[1]) end
  if ARGV[12] ~= '' then
    redis.call('SADD', KEYS[11], ARGV[1])
    redis.call('HSET', KEYS[1], 'open_set', KEYS[11])
  end
  redis.call('ZADD', KEYS[6], time + ARGV[4], ARGV[1])
  if ARGV[13] ~= '' then redis.call('ZADD', KEYS[12], time + ARGV[13], ARGV[1]) end
  redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[5], '*', 'at', time, 'event', 'queued', 'data', ARGV[8])
  redis.call('HINCRBY', KEYS[8], 'queued', 1)
  outcome = 'created'
elseif hash ~= ARGV[2] and hash ~= ARGV[11] then
  return {'conflict', hash, redis.call('HGET', KEYS[1], 'state')}
elseif redis.call('HGET', KEYS[1], 'last_change') == ARGV[3] then
  outcome = 'created'
elseif ARGV[14] == '' then  -- a batch that makes its members again avoids nothing
  local join, cost, account = unpack(redis.call('HMGET', KEYS[1], 'last_join', 'tallied_nano_usd', 'account'))
  if join ~= ARGV[3] then
    redis.call('HSET', KEYS[1], 'last_join', ARGV[3])
    redis.call('HINCRBY', KEYS[1], 'joins', 1)
    redis.call('HINCRBY', KEYS[8], 'saved:joined:' .. account:lower(), 1)
    if cost then redis.call('HINCRBY', KEYS[8], 'saved_nano_usd:joined:' .. account:lower(), cost) end
  end
end
if ARGV[6] ~= '' then
  redis.call('HSET', KEYS[3], ARGV[6], ARGV[7])
  redis.call('HSET', KEYS[4], ARGV[6], ARGV[1])
  redis.call('SADD', KEYS[5], ARGV[6])
end
return {outcome, redis.call('HGET', KEYS[1], 'hash'), redis.call('HGET', KEYS[1], 'state')}
