-- What a job's run may cost, and costs, in the budgets that it falls under. A part of change.lua, which calls it.
-- The job's `reservation` (JSON: see budgets/reservation.py) names the hashes budget:{id}:{period} that count it, with
-- `spent` and `reserved` in nano-dollars. Of these its own parts are the job's `booked_nano_usd` and `held_nano_usd`.
local COUNTED_SECS = 7776000  -- after the last booking, so that a settled cost and the month's history find theirs

local function number(text) return tonumber(text or '') or 0 end
local function whole(value) return string.format('%.0f', value) end
local function count_of(prefix, entry) return prefix .. entry.budget .. ':' .. entry.period end

local function count(prefix, reservation, field, nano_usd)
  if nano_usd == 0 then return end
  for _, entry in ipairs(reservation.entries) do
    local name = count_of(prefix, entry)
    redis.call('HINCRBY', name, field, whole(nano_usd))
    redis.call('EXPIRE', name, COUNTED_SECS)
  end
end

-- Returns the numbers, from 0, of the entries that have no room for a reservation; "" if all have
local function without_room(prefix, text)
  local reservation, full = cjson.decode(text), {}
  for i, entry in ipairs(reservation.entries) do
    local spent, reserved = unpack(redis.call('HMGET', count_of(prefix, entry), 'spent', 'reserved'))
    local limit = tonumber(entry.limit_nano_usd)
    if limit and number(spent) + number(reserved) + reservation.nano_usd > limit then full[#full + 1] = i - 1 end
  end
  return table.concat(full, ',')
end

local function spend_all(prefix, reservations, sign)
  for _, each in pairs(cjson.decode(reservations)) do count(prefix, each, 'spent', sign * each.nano_usd) end
end

-- Counts what is assumed of runs whose cost was never told, where their own reservations counted. The job's
-- `assumed_costs` (JSON: run id -> reservation) says what is to count, `assumed_counted` what does
local function book_assumed(prefix, job)
  local assumed, counted = unpack(redis.call('HMGET', job, 'assumed_costs', 'assumed_counted'))
  if assumed == counted then return end
  spend_all(prefix, counted or '{}', -1)
  spend_all(prefix, assumed or '{}', 1)
  if assumed then redis.call('HSET', job, 'assumed_counted', assumed) else redis.call('HDEL', job, 'assumed_counted') end
end

-- Ends what an earlier reservation of the job still holds
local function release(prefix, job)
  local text, held = unpack(redis.call('HMGET', job, 'reservation', 'held_nano_usd'))
  if text and text ~= '' then count(prefix, cjson.decode(text), 'reserved', -number(held)) end
end

-- Counts what the job's run costs, and what it may still cost: from its start until its cost has settled, or until it
-- is certain that there is no run. `risen`: nano-dollars by which the job's cost has changed; of these
-- `risen_by_strays` by runs that it didn't want, for which nothing was reserved
local function book(prefix, job, is_new, risen, risen_by_strays)
  local text, held, booked, attempt, intent, run_id, settled, open = unpack(redis.call('HMGET', job, 'reservation',
    'held_nano_usd', 'booked_nano_usd', 'attempt', 'intent', 'run_id', 'figures_settled', 'reservation_open'))
  if not text or text == '' then return end
  local reservation = cjson.decode(text)
  held, booked = number(held), is_new and 0 or number(booked) + risen - risen_by_strays
  local left = math.max(reservation.nano_usd - booked, 0)
  local may_cost = open ~= '0' and number(attempt) == reservation.attempt and settled ~= '1'
    and ((intent or '') ~= '' or (run_id or '') ~= '')
  local is_open = is_new or may_cost  -- once closed it stays closed: a retry that only fetches rows reserves nothing
  local holds = is_open and left or 0
  count(prefix, reservation, 'spent', risen)
  count(prefix, reservation, 'reserved', holds - (is_new and 0 or held))
  redis.call('HSET', job, 'held_nano_usd', whole(holds), 'booked_nano_usd', whole(booked),
    'reservation_open', is_open and 1 or 0)
end

