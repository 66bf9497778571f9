-- Put an alert into the outbox that was carried here from its balance, unless it was before.
local number = tonumber(redis.call('GET', KEYS[2]) or '0') + 1
if redis.call('ZADD', KEYS[5], 'NX', number, ARGV[1]) == 1 then
  redis.call('ZREMRANGEBYSCORE', KEYS[5], '-inf', number - MOST)
  push({key = 1}, ARGV[2])
end
return 1
