-- Reads the newest jobs of several indexes together, and leaves out most of those that don't fit a filter. It looks only
-- at keys and at texts of documents as they are stored: to read a job as a whole takes thirty times as long.
-- KEYS  state:{s} or state:{s}:{account}, or one actor:{name}  zset  key -> queued_at
-- ARGV  1 highest score  2 lowest score  3 entries to read of each index  4 prefix of the hashes job:{key}
--       5 text that must be in the key, or ""  6 accounts in lower case with a comma before and behind each, or ""
--       7 texts (JSON): of each group one must be in the job's document, or be its Actor's ID as `:"{id}"`
--       8 states with a comma before and behind each, or ""
-- Returns {number of entries that were read, the last entry of each index that has more, the entries that may fit}: lists
-- of key, score, key, score, ...; entries are as new as the newest of those last ones, as older ones may not all be read
local highest, lowest, most, prefix, text, accounts = unpack(ARGV, 1, 6)
local groups, states = cjson.decode(ARGV[7]), ARGV[8]

local function has_one(document, group)
  for _, part in ipairs(group) do
    if document:find(part, 1, true) then return true end
  end
  return false
end

local function may_fit(key)
  if not key:find(text, 1, true) then return false end
  if states ~= '' then
    local state = redis.call('HGET', prefix .. key, 'state')
    if not state or not states:find(',' .. state .. ',', 1, true) then return false end
  end
  if accounts == '' and #groups == 0 then return true end
  local account, document, actor = unpack(redis.call('HMGET', prefix .. key, 'account', 'document', 'actor_id'))
  if not document then return false end
  if accounts ~= '' and account and not accounts:find(',' .. account:lower() .. ',', 1, true) then return false end
  document = document .. ':"' .. (actor or '') .. '"'
  for _, group in ipairs(groups) do
    if not has_one(document, group) then return false end
  end
  return true
end

local read, last, known_to = {}, {}, '-inf'
for _, index in ipairs(KEYS) do
  local found = redis.call('ZRANGE', index, highest, lowest, 'BYSCORE', 'REV', 'LIMIT', 0, most, 'WITHSCORES')
  read[#read + 1] = found
  if #found == 2 * most then
    last[#last + 1], last[#last + 2] = found[#found - 1], found[#found]
    if known_to == '-inf' or tonumber(found[#found]) > tonumber(known_to) then known_to = found[#found] end
  end
end
local number, likely = 0, {}
for _, found in ipairs(read) do
  for place = 1, #found, 2 do
    if known_to ~= '-inf' and tonumber(found[place + 1]) < tonumber(known_to) then break end
    number = number + 1
    if may_fit(found[place]) then likely[#likely + 1], likely[#likely + 2] = found[place], found[place + 1] end
  end
end
return {number, last, likely}
