-- Counts a page that fails into its job, once however often it is tried; a receipt takes it out (record_receipt.lua).
-- KEYS  1 job:{key}  hash  the job; failing:{attempt}:{page number} and fault:{kind} are fields of it
-- ARGV  1 attempt  2 page number  3 why, in words  4 why, as a kind that pages have in common
-- Returns 1 if no page of the job has failed for that before, else 0
if redis.call('HGET', KEYS[1], 'attempt') ~= ARGV[1] then return 0 end
if redis.call('HSETNX', KEYS[1], 'failing:' .. ARGV[1] .. ':' .. ARGV[2], 1) == 1 then
  redis.call('HINCRBY', KEYS[1], 'failing_pages', 1)
end
redis.call('HSET', KEYS[1], 'page_error', ARGV[3])
return redis.call('HSETNX', KEYS[1], 'fault:' .. ARGV[4], 1)
