-- Moves a job along its states, and changes its fields: a compare-and-set on (state, epoch) that also sets `due` and
-- writes the timeline. Only record_run.lua moves a job as well; receipts and polls have scripts of their own.
-- A repeat of the same call (its reply was lost) finds its own token and changes nothing more.
-- KEYS  1 job:{key}     hash    the job
--       2 events:{key}  stream  its timeline
--       3 due           zset    key -> unix seconds when it needs care
--       4 tally         hash    what came of all jobs: see tally.lua
--       5 prefix of the hashes budget:{id}:{period}: see booking.lua
--       6 batch:{key}   hash    of a batch's member: the batch, whose counters move in the same step
--       7 batch_live:{key}  set  the batch's members that haven't ended
-- and, as the job's state changes, the zsets state:{s} and state:{s}:{account} and the set that its `open_set` names
-- ARGV  1 key  2 token of this call  3 prefix of the state:{s} zsets
--       4 states in which the change is legal, comma-separated  5 epoch it must have, or ""
--       6 new state, or ""  7 "1": the epoch goes up by one  8 seconds until due, "none", or "" to leave `due`
--       9 event for the timeline, or ""  10 its data (JSON)  11 timeline entries kept
--       12 "1": the new state is an end, and is tallied
--       13 members that may be live in the batch, or "": then a member returns only to a batch that is to go on
--       14 number of guards  15.. guard field, value, ...  then field, value, ...; "@now" stands for the time,
--       and "" takes the field away: empty ones were a twentieth of the ledger
--       A `reservation` among them needs room in each of its budgets
-- Returns {"won" | "lost" | "missing", epoch, state, time}, with attempt and run id behind them where something
-- changed, {"over", epoch, state, numbers of the reservation's entries that have no room}, or {"full", epoch, state,
-- time} for a member that must not return to its batch
local job, events, due, tally, budgets, batch, batch_live = unpack(KEYS)
local key, token, lists, legal_states, legal_epoch, new_state, goes_up, due_in_s, event, data, kept, ends, most_live,
  guards = unpack(ARGV, 1, 14)
local first_field = 15 + 2 * guards
local is_end = ends == '1'

local function is_legal(state, epoch)
  if not (',' .. legal_states .. ','):find(',' .. state .. ',', 1, true) then return false end
  if legal_epoch ~= '' and legal_epoch ~= epoch then return false end
  for i = 15, first_field - 1, 2 do
    if (redis.call('HGET', job, ARGV[i]) or '') ~= ARGV[i + 1] then return false end
  end
  return true
end

local function may_return_to_batch()
  local batch_state, stop_wish = unpack(redis.call('HMGET', batch, 'state', 'wanted'))
  return batch_state == 'RUNNING' and (stop_wish or '') == '' and redis.call('SCARD', batch_live) < tonumber(most_live)
end

-- Returns the reservation among the fields, or nil
local function new_reservation()
  for i = first_field, #ARGV, 2 do
    if ARGV[i] == 'reservation' and ARGV[i + 1] ~= '' then return ARGV[i + 1] end
  end
end

local function write_fields(time)
  for i = first_field, #ARGV, 2 do
    local value = ARGV[i + 1]
    if value == '@now' then value = time end
    if value == '' then redis.call('HDEL', job, ARGV[i]) else redis.call('HSET', job, ARGV[i], value) end
  end
  redis.call('HSET', job, 'last_change', token)
end

-- A member returns to its batch. Its failure no longer counts among those from before the batch's retry.
local function take_back_end(state)
  redis.call('HINCRBY', batch, 'ended:' .. state, -1)
  local failed_before = tonumber(redis.call('HGET', batch, 'failed_before') or 0)
  if (state == 'FAILED' or state == 'EXPIRED') and failed_before > 0 then
    redis.call('HINCRBY', batch, 'failed_before', -1)
  end
end

local function move_to_new_state(state, is_member, time)
  redis.call('HSET', job, 'state', new_state)
  move_in_lists(lists, job, key, state, new_state, time)
  local open_set = redis.call('HGET', job, 'open_set')
  if open_set then redis.call(is_end and 'SREM' or 'SADD', open_set, key) end
  if is_member and redis.call(is_end and 'SREM' or 'SADD', batch_live, key) == 1 then
    if is_end then redis.call('HINCRBY', batch, 'ended:' .. new_state, 1) else take_back_end(state) end
  end
  if is_end then tally_end(tally, job, new_state, time) end
end

-- Adds to the batch what its member has cost and delivered since it was added last
local function add_to_batch(risen)
  if risen ~= 0 then redis.call('HINCRBY', batch, 'nano_usd', whole(risen)) end
  for _, field in ipairs({'items', 'bytes', 'records'}) do
    local is, counted = unpack(redis.call('HMGET', job, field, 'batch_' .. field))
    local more = number(is) - number(counted)
    if more ~= 0 then
      redis.call('HSET', job, 'batch_' .. field, is or 0)
      redis.call('HINCRBY', batch, field, whole(more))
    end
  end
end

local now = redis.call('TIME')
local time = string.format('%d.%06d', now[1], now[2])
local state, epoch, last, waited_for, is_member =
  unpack(redis.call('HMGET', job, 'state', 'epoch', 'last_change', 'waiting_for', 'batch'))
if not state then return {'missing', '0', '', time} end
if last == token then return {'won', epoch, state, time} end
if not is_legal(state, epoch) then return {'lost', epoch, state, time} end
if most_live ~= '' and not may_return_to_batch() then return {'full', epoch, state, time} end
local reservation = new_reservation()
if reservation then
  local full = without_room(budgets, reservation)
  if full ~= '' then return {'over', epoch, state, full} end
  release(budgets, job)
end
write_fields(time)
if goes_up == '1' then epoch = tostring(redis.call('HINCRBY', job, 'epoch', 1)) end
if new_state ~= '' and new_state ~= state then
  move_to_new_state(state, is_member, time)
  state = new_state
end
tally_wait(tally, job, state, waited_for)
local risen, risen_by_strays = tally_cost(tally, job)
book(budgets, job, reservation ~= nil, risen, risen_by_strays)
book_assumed(budgets, job)
if is_member then add_to_batch(risen) end
if due_in_s == 'none' then redis.call('ZREM', due, key)
elseif due_in_s ~= '' then redis.call('ZADD', due, time + due_in_s, key) end
tally_event(tally, job, event, data, is_end)
if event ~= '' then
  redis.call('XADD', events, 'MAXLEN', '~', kept, '*', 'at', time, 'event', event, 'data', data)
end
local attempt, run_id = unpack(redis.call('HMGET', job, 'attempt', 'run_id'))
return {'won', epoch, state, time, attempt or '', run_id or ''}
