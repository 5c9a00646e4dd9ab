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
--       5 caller's task id or ""  6 continuation (JSON) or ""  7 who ordered (JSON)  8.. field, value, ... of a new batch
-- Returns {"created" | "joined" | "conflict", hash of the batch that exists, its state}, or {"reserved", "", ""} for the
-- key of a job or of a batch's members
local now = redis.call('TIME')
local time = string.format('%d.%06d', now[1], now[2])
local hash, last = unpack(redis.call('HMGET', KEYS[1], 'hash', 'last_change'))
local outcome = 'joined'
if not hash then
  if redis.call('EXISTS', KEYS[8]) == 1 or (KEYS[9] ~= KEYS[1] and redis.call('EXISTS', KEYS[9]) == 1) then
    return {'reserved', '', ''}
  end
  redis.call('HSET', KEYS[1], 'key', ARGV[1], 'hash', ARGV[2], 'last_change', ARGV[3], 'queued_at', time, 'state', 'QUEUED')
  for i = 8, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
  redis.call('ZADD', KEYS[6], time, ARGV[1])
  redis.call('ZADD', KEYS[7], time, ARGV[1])
  redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[4], '*', 'at', time, 'event', 'queued', 'data', ARGV[7])
  outcome = 'created'
elseif hash ~= ARGV[2] then
  return {'conflict', hash, redis.call('HGET', KEYS[1], 'state')}
elseif last == ARGV[3] then
  outcome = 'created'
end
if ARGV[5] ~= '' then
  redis.call('HSET', KEYS[3], ARGV[5], ARGV[6])
  redis.call('HSET', KEYS[4], ARGV[5], ARGV[1])
  redis.call('SADD', KEYS[5], ARGV[5])
end
return {outcome, redis.call('HGET', KEYS[1], 'hash'), redis.call('HGET', KEYS[1], 'state')}
