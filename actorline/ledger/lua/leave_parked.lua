-- Leaves those of some overdue jobs alone that wait for nothing but news of their runs, which are being looked at.
-- KEYS  1 parked  hash  key -> what is known of it (JSON)
--       2 due     zset  key -> unix seconds when it needs care
-- and of their accounts parked_runs, parked_keys and fleet: see park.lua
-- ARGV  1 prefix of job:{key}  2, 3, 4 names of parked_runs, parked_keys and fleet without the account
--       5 seconds after which a look is too long ago  6 seconds until the first one that is left is due
--       7 of the last one  8.. keys
-- Returns the other keys
local time = tonumber(redis.call('TIME')[1])
local others, looked = {}, {}
local function is_watched(key, parked)
  local keys = redis.call('HGET', ARGV[3] .. parked.account, parked.run_id) or ''
  local member = parked.run_id .. ':' .. parked.run_status
  return (' ' .. keys .. ' '):find(' ' .. key .. ' ', 1, true) and redis.call('ZSCORE', ARGV[2] .. parked.account, member)
end
for i = 8, #ARGV do
  local raw = redis.call('HGET', KEYS[1], ARGV[i])
  local is_read, parked = pcall(cjson.decode, raw or '')
  local account = is_read and parked.account
  if account and not looked[account] then
    looked[account] = tonumber(redis.call('HGET', ARGV[4] .. account, 'looked') or '') or 0
  end
  local planned = redis.call('HGET', ARGV[1] .. ARGV[i], 'resume')
  local is_left = account and time - looked[account] < tonumber(ARGV[5]) and is_watched(ARGV[i], parked)
  if is_left and (not planned or planned == '' or planned == '0') then
    redis.call('ZADD', KEYS[2], 'XX', time + ARGV[6] + (ARGV[7] - ARGV[6]) * (i - 8) / (#ARGV - 7), ARGV[i])
  else
    others[#others + 1] = ARGV[i]
  end
end
return others
