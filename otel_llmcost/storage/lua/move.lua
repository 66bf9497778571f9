-- Turn what is held for a call into suspected spend, or back. Where the register of calls lies in the same slot, it
-- has the last word on whether the call is over.
local request = cjson.decode(ARGV[1])

local function is_over(open)
  local expires = redis.call('ZSCORE', KEYS[open.key], request.id)
  return expires and tonumber(expires) <= tonumber(open.now)
end

for _, open in ipairs(request.open or {}) do
  if request.to == 'expired' then
    if not is_over(open) then
      return 0
    end
    redis.call('ZREM', KEYS[open.key], request.id)
    redis.call('ZADD', KEYS[open.key + 1], open.now, request.id)
  elseif redis.call('ZREM', KEYS[open.key + 1], request.id) == 1 then
    redis.call('ZADD', KEYS[open.key], open.expires, request.id)
  end
end
for _, claim in ipairs(request.claims or {}) do
  local hold = standing(place(claim), request.id)
  if hold and hold.is_expired ~= (request.to == 'expired') then
    local give, take = negative(hold.amount), hold.amount
    if hold.is_expired then
      add(claim, hold.bucket, 'suspected', give)
      add(claim, hold.bucket, 'reserved', take)
      add(claim, hold.bucket, 'exposure', hold.exposure)
    else
      add(claim, hold.bucket, 'reserved', give)
      add(claim, hold.bucket, 'exposure', negative(hold.exposure))
      add(claim, hold.bucket, 'suspected', take)
    end
    stand(claim, request.id, hold, request.to)
  end
end
return 1
