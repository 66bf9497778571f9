-- A balance is three keys: a hash of cells (bucket:name -> number), a sorted set of its buckets, and a hash of what is
-- held on it (reservation -> bucket, amount, exposure, "held" or "expired").
local SPENT = {'settled', 'suspected'}
local HELD = {'settled', 'suspected', 'reserved'}

local function place(claim)
  claim.cells, claim.buckets, claim.holds = KEYS[claim.key], KEYS[claim.key + 1], KEYS[claim.key + 2]
  claim.booked, claim.due, claim.commits = KEYS[claim.key + 3], KEYS[claim.key + 4], KEYS[claim.key + 5]
  return claim
end

local function add(claim, bucket, name, digits)
  if digits ~= '0' then
    redis.call('HINCRBY', claim.cells, bucket .. ':' .. name, digits)
  end
end

local function in_bucket(claim, bucket, names)
  local fields = {}
  for i, name in ipairs(names) do
    fields[i] = bucket .. ':' .. name
  end
  local sum = ZERO
  for _, digits in ipairs(redis.call('HMGET', claim.cells, unpack(fields))) do
    sum = plus(sum, amount(digits))
  end
  return sum
end

-- All buckets that count: the one alone, or those that a rolling window reaches back to.
local function counted(claim)
  if claim.from == claim.bucket then
    return {claim.bucket}
  end
  return redis.call('ZRANGEBYSCORE', claim.buckets, claim.from, '+inf')
end

local function total(claim, names)
  local sum = ZERO
  for _, bucket in ipairs(counted(claim)) do
    sum = plus(sum, in_bucket(claim, bucket, names))
  end
  return sum
end

local function carried(claim)
  if not claim.carry then
    return ZERO
  end
  return amount(redis.call('HGET', claim.cells, claim.bucket .. ':carried'))
end

-- Begin a balance in a bucket with what the window before left over; false: it has begun.
local function begin(claim)
  if redis.call('HSETNX', claim.cells, claim.bucket .. ':drop', claim.drop) == 0 then
    return false
  end
  redis.call('ZADD', claim.buckets, claim.bucket, claim.bucket)
  if claim.carry then
    local left = minus(amount(claim.carry.limit), in_bucket(claim, claim.carry.from, HELD))
    local most = amount(claim.carry.most)
    if not at_most(left, most) then
      left = most
    end
    if not at_most(left, ZERO) then
      add(claim, claim.bucket, 'carried', text(left))
    end
  end
  return true
end

local function standing(claim, id)
  local hold = redis.call('HGET', claim.holds, id)
  if not hold then
    return nil
  end
  local bucket, held, exposure, state = string.match(hold, '^(%S+) (%S+) (%S+) (%S+)$')
  return {bucket = bucket, amount = held, exposure = exposure, is_expired = state == 'expired'}
end

local function stand(claim, id, hold, state)
  redis.call('HSET', claim.holds, id, hold.bucket .. ' ' .. hold.amount .. ' ' .. hold.exposure .. ' ' .. state)
end

local function let_go_of_expired(claim)
  local holds = redis.call('HGETALL', claim.holds)
  for number = 1, #holds, 2 do
    if string.find(holds[number + 1], ' expired', 1, true) then
      redis.call('HDEL', claim.holds, holds[number])
    end
  end
end

-- Let everybody find the balances that have begun, and when they may be forgotten.
local function index(entries)
  for _, entry in ipairs(entries or {}) do
    redis.call('ZADD', KEYS[entry.key], 'NX', entry.drop, entry.member)
    redis.call('ZADD', KEYS[entry.key + 1], 'GT', entry.at, entry.subject)
  end
end
