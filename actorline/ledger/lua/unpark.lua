-- Lets a parked job be polled by itself from here on.
-- KEYS  1 parked  hash  key -> what is known of it (JSON)
-- and of its account parked_runs, parked_keys and fleet: see park.lua
-- ARGV  1 key  2 epoch under which it must have been parked, or ""
--       3, 4, 5 names of parked_runs, parked_keys and fleet without the account
-- Returns 1 (unparked) or 0
local raw = redis.call('HGET', KEYS[1], ARGV[1])
if not raw then return 0 end
local is_read, parked = pcall(cjson.decode, raw)
if not is_read or not parked.run_id then return redis.call('HDEL', KEYS[1], ARGV[1]) end
if ARGV[2] ~= '' and tostring(parked.epoch) ~= ARGV[2] then return 0 end
redis.call('HDEL', KEYS[1], ARGV[1])
local runs, keys, fleet = ARGV[3] .. parked.account, ARGV[4] .. parked.account, ARGV[5] .. parked.account
local others, is_seen_alike = {}, false
for key in (redis.call('HGET', keys, parked.run_id) or ''):gmatch('%S+') do
  if key ~= ARGV[1] then
    others[#others + 1] = key
    local is_told, other = pcall(cjson.decode, redis.call('HGET', KEYS[1], key) or '')
    is_seen_alike = is_seen_alike or (is_told and other.run_status == parked.run_status)
  end
end
if #others > 0 then
  redis.call('HSET', keys, parked.run_id, table.concat(others, ' '))
else
  redis.call('HDEL', keys, parked.run_id)
end
if not is_seen_alike then redis.call('ZREM', runs, parked.run_id .. ':' .. parked.run_status) end
local every = 'every:' .. string.format('%g', parked.every_s)
if redis.call('HEXISTS', fleet, every) == 1 and redis.call('HINCRBY', fleet, every, -1) <= 0 then
  redis.call('HDEL', fleet, every)
end
return 1
