-- Add what calls came to onto balances, once for each commit.
local request, fired, due = cjson.decode(ARGV[1]), {}, {}
index(request.index)

local function is_new(key)
  local clock = redis.call('TIME')
  local now = clock[1] * 1000000 + clock[2]
  redis.call('ZREMRANGEBYSCORE', key, '-inf', string.format('%.0f', now - request.kept * 1000000))
  return redis.call('ZADD', key, 'NX', string.format('%.0f', now), request.commit) == 1
end

for _, commits in ipairs(request.commits or {}) do
  if not is_new(KEYS[commits.key]) then
    return {fired, due}
  end
end
-- In a cluster each balance knows for itself, once for all its buckets.
local booked = {}
for _, claim in ipairs(request.claims or {}) do
  place(claim)
  if request.is_split and booked[claim.commits] == nil then
    booked[claim.commits] = is_new(claim.commits)
  end
  if not request.is_split or booked[claim.commits] then
    begin(claim)
    for name, digits in pairs(claim.adds) do
      add(claim, claim.bucket, name, digits)
    end
    tell_reached(request, claim, fired)
  end
  if request.is_split then
    gather_due(claim, due)
  end
end
return {fired, due}
