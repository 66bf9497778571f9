-- Forget a bucket of a balance that is of no use any more, unless something is held in it; 0: it stays, 1: it is gone,
-- 2: and with it the last of its balance.
local request = cjson.decode(ARGV[1])
local claim = place(request.claims[1])
if not at_most(in_bucket(claim, claim.bucket, {'reserved'}), ZERO) then
  return 0
end
for _, name in ipairs(request.names) do
  redis.call('HDEL', claim.cells, claim.bucket .. ':' .. name)
end
redis.call('ZREM', claim.buckets, claim.bucket)
local holds = redis.call('HGETALL', claim.holds)
for number = 1, #holds, 2 do
  if string.sub(holds[number + 1], 1, #claim.bucket + 1) == claim.bucket .. ' ' then
    redis.call('HDEL', claim.holds, holds[number])
  end
end
if redis.call('ZCARD', claim.buckets) > 0 then
  return 1
end
if claim.booked then
  redis.call('DEL', claim.booked, claim.commits)
end
return 2
