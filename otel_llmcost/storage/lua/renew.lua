-- Give calls more time; return the balances of those that were given up, one after the id of each.
local request, given_up = cjson.decode(ARGV[1]), {}
for _, id in ipairs(request.ids) do
  if redis.call('ZSCORE', KEYS[1], id) then
    redis.call('ZADD', KEYS[1], 'GT', request.expires, id)
  elseif redis.call('ZSCORE', KEYS[2], id) then
    given_up[#given_up + 1] = id
    given_up[#given_up + 1] = redis.call('HGET', KEYS[3], id) or '[]'
  end
end
return given_up
