-- A mark is told once in a window. The alert goes into the outbox, or where that lies in another slot, it waits beside
-- the balance until somebody has carried it there.
local function is_told(claim, mark)
  for _, bucket in ipairs(counted(claim)) do
    local told = redis.call('HGET', claim.cells, bucket .. ':told')
    if told and string.find(told, '\n' .. mark .. '\n', 1, true) then
      return true
    end
  end
  return false
end

local function tell(claim, mark)
  if is_told(claim, mark) then
    return false
  end
  local field = claim.bucket .. ':told'
  local told = redis.call('HGET', claim.cells, field) or ''
  redis.call('HSET', claim.cells, field, told .. '\n' .. mark .. '\n')
  redis.call('ZADD', claim.buckets, claim.bucket, claim.bucket)
  return true
end

-- So many alerts are kept.
local MOST = 10000

local function push(outbox, record)
  local key = outbox.key
  redis.call('INCR', KEYS[key])
  local number = redis.call('INCR', KEYS[key + 1])
  redis.call('HSET', KEYS[key + 2], number, record)
  redis.call('SADD', KEYS[key + 3], number)
  redis.call('HDEL', KEYS[key + 2], number - MOST)
  redis.call('SREM', KEYS[key + 3], number - MOST)
end

local function send(request, claim, record)
  if request.outbox then
    push(request.outbox[1], record)
  else
    redis.call('RPUSH', claim.due, record)
  end
end

-- What waits beside a balance, with the key it waits in.
local function gather_due(claim, records)
  for _, record in ipairs(redis.call('LRANGE', claim.due, 0, -1)) do
    records[#records + 1] = {claim.due, record}
  end
end

-- Tell a mark; return what is to be told, nil where it was told already.
local function fire(request, claim, level, spent)
  if not tell(claim, level) then
    return nil
  end
  local limit = text(plus(amount(claim.limit), carried(claim)))
  local record = cjson.encode({level, text(spent), limit, claim.alert})
  send(request, claim, record)
  return record
end

-- A balance that took something over of the window before has marks that lie higher by the same share.
local function is_reached(claim, at, spent)
  local more = carried(claim)
  if at_most(more, ZERO) then
    return at_most(at, spent)
  end
  local limit, one = amount(claim.limit), {0, 1}
  return is_less(product(at, plus(limit, more)), product(plus(spent, one), limit))
end

-- Tell the marks that spending has reached, and add what is to be told.
local function tell_reached(request, claim, fired)
  if #claim.marks == 0 then
    return
  end
  local spent = total(claim, SPENT)
  for _, mark in ipairs(claim.marks) do
    if at_most({0, 1}, spent) and is_reached(claim, amount(mark[2]), spent) then
      fired[#fired + 1] = fire(request, claim, mark[1], spent)
    end
  end
end
