-- Places for calls to servers that orders name: so many at once in all, per account, and per account and host. A place
-- belongs to one execution and ends by itself if it isn't renewed. Whoever finds none stands in the line of its lane
-- (account and host); free places go to the lanes in turn, so that one full of slow servers holds up itself only.
-- KEYS  1 outside_places   hash  key -> "until account host execution", tab between; no execution: called, not yet begun
--       2 outside_lanes    zset  "account host", tab between -> when it last had its turn
--       3 prefix of the lines: {prefix}{lane}  zset  key -> since when it waits
--       4 due              zset  key -> unix seconds when it needs care: now, for who is called, whoever dies then
-- ARGV  1 "take", "leave" or "call"  2 places in all  3 per account  4 per lane  5 seconds that a place is held
--       6 key  7 execution  8 account  9 host   (6 to 9: take; 6 and 7: leave)
-- Returns  take: "go", "wait", or "held" by another execution   leave: 1 if it was ours   call: the keys that were called
local now = redis.call('TIME')
local time = now[1] + now[2] / 1000000
local op, key, execution = ARGV[1], ARGV[6], ARGV[7]

local taken, accounts, lanes, mine = 0, {}, {}, nil
local places = redis.call('HGETALL', KEYS[1])
for i = 1, #places, 2 do
  local till, account, host, holder = places[i + 1]:match('^(.-)\t(.-)\t(.-)\t(.*)$')
  if tonumber(till) < time then
    redis.call('HDEL', KEYS[1], places[i])
  elseif places[i] == key then
    mine = {account = account, host = host, holder = holder}
  else
    taken = taken + 1
    accounts[account] = (accounts[account] or 0) + 1
    local lane = account .. '\t' .. host
    lanes[lane] = (lanes[lane] or 0) + 1
  end
end

local function has_room(account, lane)
  return taken < tonumber(ARGV[2]) and (accounts[account] or 0) < tonumber(ARGV[3])
    and (lanes[lane] or 0) < tonumber(ARGV[4])
end
local function hold(who, account, host, holder)
  local till = string.format('%.3f', time + ARGV[5])
  redis.call('HSET', KEYS[1], who, till .. '\t' .. account .. '\t' .. host .. '\t' .. holder)
end

if op == 'leave' then
  if not mine or (mine.holder ~= execution and mine.holder ~= '') then return 0 end
  return redis.call('HDEL', KEYS[1], key)
end
if op == 'take' then
  local account, host = ARGV[8], ARGV[9]
  local lane = account .. '\t' .. host
  if mine and mine.holder ~= '' and mine.holder ~= execution then return 'held' end
  if mine or has_room(account, lane) then
    hold(key, account, host, execution)
    redis.call('ZREM', KEYS[3] .. lane, key)
    return 'go'
  end
  redis.call('ZADD', KEYS[3] .. lane, 'NX', time, key)
  redis.call('ZADD', KEYS[2], 'NX', time, lane)
  return 'wait'
end
local called = {}
for _, lane in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
  if taken >= tonumber(ARGV[2]) then break end
  local account, host = lane:match('^(.-)\t(.*)$')
  if has_room(account, lane) then
    local first = redis.call('ZPOPMIN', KEYS[3] .. lane)[1]
    if first then
      hold(first, account, host, '')
      redis.call('ZADD', KEYS[4], time, first)
      taken = taken + 1
      accounts[account] = (accounts[account] or 0) + 1
      lanes[lane] = (lanes[lane] or 0) + 1
      called[#called + 1] = first
      redis.call('ZADD', KEYS[2], time, lane)
    else
      redis.call('ZREM', KEYS[2], lane)
    end
  end
end
return called
