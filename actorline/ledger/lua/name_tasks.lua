-- Remembers which Celery tasks serve a job, so that a revoke of any of them means the job. Safe to repeat.
-- KEYS  1 ids              hash  Celery task id -> key
--       2 job_ids:{key}    set   its ids in `ids` that are its callers'; an earlier version has those of stages too
--       3 stage_ids:{key}  set   its ids in `ids` that are its stages'
--       4 stage_tasks:{key}  hash  stage -> the last id of it
-- ARGV  1 key  2 "1": the ids known of stages so far are stale, and dropped; "same": the last ones of these stages are
--       3.. task id and stage, or "", in pairs
if ARGV[2] == '1' then
  for _, id in ipairs(redis.call('SMEMBERS', KEYS[3])) do
    redis.call('HDEL', KEYS[1], id)
    redis.call('SREM', KEYS[2], id)
  end
  redis.call('DEL', KEYS[3])
end
for i = 3, #ARGV, 2 do
  local last = ARGV[2] == 'same' and redis.call('HGET', KEYS[4], ARGV[i + 1])
  if last and last ~= ARGV[i] then
    redis.call('HDEL', KEYS[1], last)
    redis.call('SREM', KEYS[3], last)
  end
  redis.call('HSET', KEYS[1], ARGV[i], ARGV[1])
  redis.call('SADD', KEYS[3], ARGV[i])
  if ARGV[i + 1] ~= '' then redis.call('HSET', KEYS[4], ARGV[i + 1], ARGV[i]) end
end
