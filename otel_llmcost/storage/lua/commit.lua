-- Write what was changed of the outbox, unless it was changed by others since it was read.
local request = cjson.decode(ARGV[1])
if (redis.call('GET', KEYS[1]) or '0') ~= request.version then
  return 0
end
redis.call('INCR', KEYS[1])
for number, page in pairs(request.pages) do
  redis.call('HSET', KEYS[2], number, page)
  redis.call('SADD', KEYS[3], number)
end
for _, number in ipairs(request.idle) do
  redis.call('SREM', KEYS[3], number)
end
for channel, number in pairs(request.channels) do
  redis.call('HSET', KEYS[4], channel, number)
end
for channel, at in pairs(request.seen) do
  redis.call('HSET', KEYS[5], channel, at)
end
redis.call('SET', KEYS[6], request.last)
return 1
