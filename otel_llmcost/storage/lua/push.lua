-- Put an alert into the outbox that was carried here from its balance, unless it was before.
if redis.call('ZADD', KEYS[5], 'NX', 0, ARGV[1]) == 1 then
  push({key = 1}, ARGV[2])
end
return 1
