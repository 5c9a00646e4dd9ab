-- The lists of the jobs in each state, of all accounts and of each: the zsets state:{s} and state:{s}:{account}. A part
-- of the scripts that change a job's state.

-- Moves the job from the lists of one state to those of another, where it keeps its place
local function move_in_lists(prefix, job, key, from, to, time)
  local score = redis.call('ZSCORE', prefix .. from, key) or time
  local account = redis.call('HGET', job, 'account')
  for _, of in ipairs({'', account and ':' .. account:lower()}) do
    redis.call('ZREM', prefix .. from .. of, key)
    redis.call('ZADD', prefix .. to .. of, score, key)
  end
end
