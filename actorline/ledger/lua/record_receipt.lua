-- Keeps the receipt of a stored page and counts it into the job, once: a second receipt for the window is refused and
-- the first one returned. A window that scanned nothing proves no end for ever, so it may be read and counted again.
-- KEYS  1 pages:{key}:{attempt}  hash  page number -> {offset, limit} and, once it is stored, the receipt (JSON)
--       2 job:{key}              hash  the job
--       3 due                    zset  key -> unix seconds when it needs care
--       4 tally                  hash  what came of all jobs: see queries/tally.py
-- ARGV  1 page number  2 receipt (JSON)  3 attempt  4 key  5 seconds until due, while it collects  6 items  7 scanned
--       8 bytes  9 "1" if it is a good one
-- The time is written into the receipt.
-- Returns the receipt that counts (JSON)
local pages, job, due, tally = unpack(KEYS)
local page_no, given, attempt, key, due_in_s, items, scanned, bytes, is_good = unpack(ARGV)
local old = redis.call('HGET', pages, page_no)
local stored = old and cjson.decode(old) or {}
if stored.scanned and stored.scanned > 0 then return old end
local now = redis.call('TIME')
local time = string.format('%d.%06d', now[1], now[2])
local receipt = given:sub(1, -2) .. ',"stored_at":' .. time .. '}'  -- cjson would write an empty list as {}
redis.call('HSET', pages, page_no, receipt)
if redis.call('HGET', job, 'attempt') == attempt then
  if is_good == '1' and redis.call('HDEL', job, 'failing:' .. attempt .. ':' .. page_no) == 1 then
    redis.call('HINCRBY', job, 'failing_pages', -1)
  end
  if tonumber(scanned) > 0 then
    redis.call('HINCRBY', job, 'scanned', scanned)
    for _, name in ipairs({job, tally}) do
      redis.call('HINCRBY', name, 'items', items)
      redis.call('HINCRBY', name, 'bytes', bytes)
      redis.call('HINCRBY', name, 'pages', 1)
    end
    redis.call('HSET', job, 'stored_at', time)
  end
  -- a job that is to stop stays due now, and one that is still running is due after its next poll
  local state, stop_wish = unpack(redis.call('HMGET', job, 'state', 'wanted'))
  local continues = state == 'COLLECTING' and (stop_wish or '') == ''
  if continues and redis.call('ZSCORE', due, key) then redis.call('ZADD', due, now[1] + due_in_s, key) end
end
return receipt
