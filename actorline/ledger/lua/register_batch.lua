-- Creates a batch, or joins the one that has its key; keeps the caller either way. Safe to repeat.
-- KEYS  1 batch:{key}     hash    the batch
--       2 events:{key}    stream  its timeline
--       3 callers:{key}   hash    Celery task id -> continuation (JSON)
--       4 ids             hash    Celery task id -> key
--       5 job_ids:{key}   set     the ids of this batch in `ids`
--       6 batch_due       zset    key -> unix seconds when it needs care
--       7 batches         zset    key -> queued_at
--       8 job:{key}       hash    a job that has the key already
--       9 batch:{batch}   hash    of a key that has the form of a member's: the batch that it would belong to
-- ARGV  1 key  2 hash of its document  3 token of this call  4 timeline entries kept
--       5 caller's task id or ""  6 continuation (JSON) or ""  7 who ordered (JSON)
--       8.. field, value, ... of a new batch
-- Returns {"created" | "joined" | "conflict", hash of the batch that exists, its state}, or {"reserved", "", ""} for
-- the key of a job or of a batch's members
local batch, events, callers, ids, job_ids, batch_due, batches, job_of_key, outer_batch = unpack(KEYS)
local key, document_hash, token, kept, caller, continuation, sender = unpack(ARGV, 1, 7)
local now = redis.call('TIME')
local time = string.format('%d.%06d', now[1], now[2])

local function is_reserved()
  return redis.call('EXISTS', job_of_key) == 1 or (outer_batch ~= batch and redis.call('EXISTS', outer_batch) == 1)
end

local function create()
  redis.call('HSET', batch, 'key', key, 'hash', document_hash, 'last_change', token, 'queued_at', time,
    'state', 'QUEUED')
  for i = 8, #ARGV, 2 do redis.call('HSET', batch, ARGV[i], ARGV[i + 1]) end
  redis.call('ZADD', batch_due, time, key)
  redis.call('ZADD', batches, time, key)
  redis.call('XADD', events, 'MAXLEN', '~', kept, '*', 'at', time, 'event', 'queued', 'data', sender)
end

local hash, last, state = unpack(redis.call('HMGET', batch, 'hash', 'last_change', 'state'))
local outcome = 'joined'
if not hash then
  if is_reserved() then return {'reserved', '', ''} end
  create()
  hash, state, outcome = document_hash, 'QUEUED', 'created'
elseif hash ~= document_hash then
  return {'conflict', hash, state}
elseif last == token then
  outcome = 'created'
end
if caller ~= '' then
  redis.call('HSET', callers, caller, continuation)
  redis.call('HSET', ids, caller, key)
  redis.call('SADD', job_ids, caller)
end
return {outcome, hash, state}
