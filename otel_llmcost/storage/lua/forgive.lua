-- Set amounts of all buckets of a balance to 0 and let go of calls that were given up; 1: there were any.
local request = cjson.decode(ARGV[1])
local claim, found = place(request.claims[1]), 0
for _, bucket in ipairs(redis.call('ZRANGE', claim.buckets, 0, -1)) do
  if redis.call('HEXISTS', claim.cells, bucket .. ':drop') == 1 then
    found = 1
  end
  for _, name in ipairs(request.names) do
    redis.call('HDEL', claim.cells, bucket .. ':' .. name)
  end
end
let_go_of_expired(claim)
return found
