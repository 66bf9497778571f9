-- Check all claims of a call and take them, or none.
local request = cjson.decode(ARGV[1])
local claims, began, watched, is_taken = request.claims or {}, {}, {}, false
index(request.index)

for _, claim in ipairs(claims) do
  place(claim)
  is_taken = is_taken or redis.call('HEXISTS', claim.holds, request.id) == 1
end

local function refused(claim)
  local spent, told, due = total(claim, SPENT), {}, {}
  if request.tell then
    add(claim, claim.bucket, 'refused', '1')
    for _, level in ipairs(claim.marks) do
      if fire(request, claim, level, spent) then
        told[#told + 1] = level
      end
    end
    if not request.outbox then
      gather_due(claim, due)
    end
  end
  local standing_in = {}
  for _, bucket in ipairs(counted(claim)) do
    standing_in[#standing_in + 1] = bucket
    standing_in[#standing_in + 1] = text(in_bucket(claim, bucket, HELD))
  end
  return {'refused', watched, began, claim.number, text(carried(claim)), text(spent), standing_in, told, due}
end

for _, claim in ipairs(claims) do
  if begin(claim) then
    began[#began + 1] = claim.number
  end
  if claim.watched then
    watched[#watched + 1] = claim.number
    watched[#watched + 1] = text(total(claim, SPENT))
  end
  if claim.refuses and not is_taken then
    local held = total(claim, HELD)
    if not at_most(plus(held, amount(claim.amount)), plus(amount(claim.limit), carried(claim))) then
      return refused(claim)
    end
  end
end

if not is_taken then
  for _, claim in ipairs(claims) do
    add(claim, claim.bucket, 'reserved', claim.amount)
    add(claim, claim.bucket, 'exposure', claim.exposure)
    stand(claim, request.id, claim, 'held')
  end
  for _, open in ipairs(request.open or {}) do
    redis.call('ZADD', KEYS[open.key], open.expires, request.id)
    redis.call('HSET', KEYS[open.key + 2], request.id, open.balances)
  end
end
return {'taken', watched, began}
