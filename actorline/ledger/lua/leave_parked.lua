-- Leaves those of some overdue jobs alone that wait for nothing but news of their runs, which are being looked at.
-- KEYS  1 parked  hash  key -> what is known of it (JSON)
--       2 due     zset  key -> unix seconds when it needs care
-- ARGV  1 prefix of job:{key}  2 prefix of fleet:{account}  3 seconds after which a look is too long ago
--       4 seconds until care of the first one that is left  5 of the last one  6.. keys
-- Returns the other keys
local time = tonumber(redis.call('TIME')[1])
local others, looked = {}, {}
for i = 6, #ARGV do
  local raw = redis.call('HGET', KEYS[1], ARGV[i])
  local is_read, parked = pcall(cjson.decode, raw or '')
  local account = is_read and parked.account
  if account and not looked[account] then
    looked[account] = tonumber(redis.call('HGET', ARGV[2] .. account, 'looked') or '') or 0
  end
  local planned = redis.call('HGET', ARGV[1] .. ARGV[i], 'resume')
  if account and time - looked[account] < tonumber(ARGV[3]) and (not planned or planned == '' or planned == '0') then
    redis.call('ZADD', KEYS[2], 'XX', time + ARGV[4] + (ARGV[5] - ARGV[4]) * (i - 6) / (#ARGV - 5), ARGV[i])
  else
    others[#others + 1] = ARGV[i]
  end
end
return others
