-- Beats, and returns the last break in the ledger's history: see history.lua.
-- KEYS  1 continuity  2 gaps
-- ARGV  1 the last beat that this process saw, or 0  2 seconds after which a beat is too old
--       3 seconds that may be lost where there is no beat  4 gaps that are kept
-- Returns {gap, beat}
return {beat(KEYS[1], KEYS[2], ARGV[1], ARGV[2], ARGV[3], ARGV[4])}
