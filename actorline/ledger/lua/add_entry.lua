-- Adds an entry to a job's timeline. Its time is Redis's, as in the entries beside it: a worker's idea of it may be some
-- hundredths of a second late.
-- KEYS  1 events:{key}  stream  the job's timeline; without one nothing is added
-- ARGV  1 timeline entries kept  2 event  3 its data (JSON)
local now = redis.call('TIME')
local time = string.format('%d.%06d', now[1], now[2])
redis.call('XADD', KEYS[1], 'NOMKSTREAM', 'MAXLEN', '~', ARGV[1], '*', 'at', time, 'event', ARGV[2], 'data', ARGV[3])
