-- Reads a job with what belongs to it, in one command.
-- KEYS  1 job:{key}  hash  the job
--       2 callers:{key}, runs:{key} or pages:{key}, which has an attempt behind it
-- ARGV  1 what is read besides: "callers" (all), "runs" of the job's attempt, "pages" of it, or a "page"
--       2 attempt  3 page number   (page)
-- Returns {the job's FIELDS, a hash as a list of fields and values, or a value}
local job, with = redis.call('HMGET', KEYS[1], unpack(FIELDS)), ARGV[1]
if with == 'callers' then return {job, redis.call('HGETALL', KEYS[2])} end
if with == 'page' then return {job, redis.call('HGET', KEYS[2] .. ':' .. ARGV[2], ARGV[3])} end
local attempt = redis.call('HGET', KEYS[1], 'attempt') or ''
if with == 'runs' then return {job, redis.call('HGET', KEYS[2], attempt)} end
return {job, redis.call('HGETALL', KEYS[2] .. ':' .. attempt)}
