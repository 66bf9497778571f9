-- End one call: its charge into the ledger, what was held off its balances, what it came to onto them.
local request = cjson.decode(ARGV[1])
local state, began, fired, due = request.state, {}, {}, {}
index(request.index)

-- The charge may have been written by this same posting before, whose balances are then still to be booked on: they
-- lie in other slots, and each knows what was booked on it.
local function insert(charge)
  local key = charge.key
  if redis.call('HSETNX', KEYS[key], charge.id, charge.owner .. '\n' .. charge.json) == 0 then
    local known = redis.call('HGET', KEYS[key], charge.id)
    return string.sub(known, 1, #charge.owner + 1) == charge.owner .. '\n' and 'mine' or 'known'
  end
  redis.call('ZADD', KEYS[key + 1], charge.at, charge.id)
  if charge.unconfirmed then
    redis.call('ZADD', KEYS[key + 2], charge.at, charge.id)
  end
  if charge.uncertain then
    redis.call('HSET', KEYS[key + 3], charge.uncertain, charge.id)
  end
  if charge.settles and redis.call('HGET', KEYS[key + 3], charge.settles) == charge.corrects then
    redis.call('HDEL', KEYS[key + 3], charge.settles)
  end
  redis.call('ZADD', KEYS[key + 4], charge.hour, charge.hour)
  for place, digits in ipairs(charge.sums) do
    if digits ~= '0' or place == 1 then
      redis.call('HINCRBY', KEYS[key + 5], place .. charge.group, digits)
    end
  end
  return 'new'
end

local function give_back(claim)
  local hold = standing(claim, request.id)
  if not hold then
    return ZERO, false
  end
  redis.call('HDEL', claim.holds, request.id)
  if hold.is_expired then
    add(claim, hold.bucket, 'suspected', negative(hold.amount))
  else
    add(claim, hold.bucket, 'reserved', negative(hold.amount))
    add(claim, hold.bucket, 'exposure', negative(hold.exposure))
  end
  return amount(hold.amount), true
end

local function book(claim, held)
  local booking = claim.booking
  if begin(claim) then
    began[#began + 1] = claim.number
  end
  for name, digits in pairs(booking.cells) do
    add(claim, claim.bucket, name, digits)
  end
  local over = minus(amount(booking.cost), held)
  if not at_most(over, ZERO) then
    add(claim, claim.bucket, 'overrun', text(over))
  end
  tell_reached(request, claim, fired)
end

-- Where the ledger lies in another slot, a posting that is tried again finds out here what is booked already.
local function is_booked(claim)
  if not request.is_split then
    return false
  end
  redis.call('ZREMRANGEBYSCORE', claim.booked, '-inf', request.forget)
  return redis.call('ZADD', claim.booked, 'NX', request.at, request.charge_id) == 0
end

for _, charge in ipairs(request.charges or {}) do
  state = insert(charge)
end
for _, note in ipairs(request.notes or {}) do
  redis.call('HSET', KEYS[note.key], request.id, state .. '\n' .. note.text)
end
local is_new = state == 'new' or (request.is_split and state == 'mine')
for _, claim in ipairs(request.claims or {}) do
  local held, is_held = give_back(place(claim))
  if claim.anyway and is_held then
    add(claim, claim.bucket, 'settled', claim.anyway)
  end
  if is_new and claim.booking and not is_booked(claim) then
    book(claim, held)
  end
  if request.is_split then
    gather_due(claim, due)
  end
end
for _, open in ipairs(request.open or {}) do
  redis.call('ZREM', KEYS[open.key], request.id)
  redis.call('ZREM', KEYS[open.key + 1], request.id)
  redis.call('HDEL', KEYS[open.key + 2], request.id)
end
for _, note in ipairs(request.done or {}) do
  redis.call('HDEL', KEYS[note.key], request.id)
end
return {state, began, fired, due}
