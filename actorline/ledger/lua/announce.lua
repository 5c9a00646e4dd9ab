-- Renews a start lease for the whole span in which the start is sent, and remembers whose marker goes out with it.
-- KEYS  1 lease:start:{key}  string  token of the execution that has the lease
--       2 markers            hash    digest -> key
--       3 sweeps             zset    account -> when it is searched for runs that no job wants
-- ARGV  1 token  2 milliseconds of the lease  3 digest  4 key  5 account  6 seconds until the account is searched
-- Returns 1, or 0 if the lease is another's by now
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
redis.call('HSET', KEYS[2], ARGV[3], ARGV[4])
redis.call('ZADD', KEYS[3], 'NX', redis.call('TIME')[1] + ARGV[6], ARGV[5])
return 1
