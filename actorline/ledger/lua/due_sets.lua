-- Says which sorted sets of times have members that are due: one command a second for all of them, of which most are
-- empty.
-- KEYS  1.. zset  member -> unix seconds
-- ARGV  1.. for each set: seconds before now, until when its members count
-- Returns the numbers of the sets that have such members
local time, found = redis.call('TIME'), {}
for i, name in ipairs(KEYS) do
  local first = redis.call('ZRANGE', name, 0, 0, 'WITHSCORES')
  if first[2] and tonumber(first[2]) <= time[1] + time[2] / 1000000 - ARGV[i] then found[#found + 1] = i end
end
return found
