-- Takes the room that a start needs out of what its account has left, or says why it can't.
-- KEYS  1 room:{account}         hash    what the account has left: `runs`, `memory_mbytes` ("": no limit is known),
--                                        `most_memory_mbytes`; unix seconds: `read_at`, `asked_at`, `ended_at` (of our
--                                        latest run), `unreadable_until`
--       2 room_claims:{account}  zset    key of each start -> unix seconds from which on the platform counts its run
--       3 room_needs:{account}   hash    key of each start -> MB of memory that it needs
--       4 actor_memory:{target}  string  MB of memory that the Actor's runs have by default
-- ARGV  1 key  2 MB of memory that the order names, or ""  3 seconds for which what is read counts
--       4 seconds until a full account is asked again  5 the same after a run of ours has ended
--       6 seconds after which a start has been sent, or never will be
-- Returns {verdict, time, runs left, MB left, MB needed}; verdict: "free" (taken), "full", "ask" (read the account's
-- limits first), or "memory" (find out how much the Actor's runs have). A call that comes again, as its reply was
-- lost, takes the room twice, until the account's limits are read again
local now = redis.call('TIME')
local time = now[1] + now[2] / 1000000
local text = string.format('%d.%06d', now[1], now[2])
local room = redis.call('HMGET', KEYS[1],
  'runs', 'memory_mbytes', 'most_memory_mbytes', 'read_at', 'asked_at', 'ended_at', 'unreadable_until')
local runs, left, most = tonumber(room[1] or ''), tonumber(room[2] or ''), tonumber(room[3] or '')
local read_at, asked_at, ended_at = tonumber(room[4] or ''), tonumber(room[5] or '') or 0, tonumber(room[6] or '') or 0
if (tonumber(room[7] or '') or 0) > time then return {'free', text, '', '', ''} end

local kept = tonumber(ARGV[3])
if not read_at or time - read_at > 2 * kept then
  redis.call('HSET', KEYS[1], 'asked_at', text)
  return {'ask', text, '', '', ''}
end
local needs = tonumber(ARGV[2]) or (left and tonumber(redis.call('GET', KEYS[4]) or '')) or (not left and 0)
if not needs then return {'memory', text, '', '', ''} end

local is_beyond_the_account = most and needs > most  -- no wait helps: the platform says so
local fits = (not runs or runs >= 1) and (not left or needs <= left or is_beyond_the_account)
local again = (fits and kept) or tonumber(ended_at > read_at and ARGV[5] or ARGV[4])
if time - asked_at >= again then
  redis.call('HSET', KEYS[1], 'asked_at', text)
  return {'ask', text, '', '', ''}
end
if not fits then return {'full', text, room[1] or '', room[2] or '', needs} end
if runs then redis.call('HINCRBY', KEYS[1], 'runs', -1) end
if left then redis.call('HINCRBY', KEYS[1], 'memory_mbytes', -needs) end
redis.call('ZADD', KEYS[2], string.format('%.6f', time + ARGV[6]), ARGV[1])
redis.call('HSET', KEYS[3], ARGV[1], needs)
return {'free', text, room[1] or '', room[2] or '', needs}
