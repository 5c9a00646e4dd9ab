-- Takes a job's start lease, and returns what counts only under it: the last holder may have started the run.
-- KEYS  1 lease:start:{key}     string  token of the execution that has the lease
--       2 runs:{key}            hash    attempt -> every run id ever seen for it (JSON list)
--       3 looked_back           hash    account -> gap after which its runs were searched
--       4 lost_runs:{account}   hash    {digest}.{attempt} -> runs that the ledger had forgotten (JSON list)
--       5, 6 continuity and gaps: see history.lua
-- ARGV  1 token  2 milliseconds of the lease  3 attempt  4 account  5 {digest}.{attempt}  6.. as `beat` wants them
-- Returns nothing if another execution has the lease, else {runs, account's gap, lost runs, gap, beat}. Safe to repeat
local is_ours = redis.call('GET', KEYS[1]) == ARGV[1]
if not is_ours and not redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return {} end
local gap, time = beat(KEYS[5], KEYS[6], ARGV[6], ARGV[7], ARGV[8], ARGV[9])
return {
  redis.call('HGET', KEYS[2], ARGV[3]) or '[]', redis.call('HGET', KEYS[3], ARGV[4]) or '',
  redis.call('HGET', KEYS[4], ARGV[5]) or '[]', gap, time
}
