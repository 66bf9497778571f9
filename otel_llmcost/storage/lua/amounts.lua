-- Whole numbers of up to 64 bits as two parts of nine digits: Lua's own numbers are exact up to 2^53 only, which is
-- nine million dollars in nano-dollars.
local BASE = 1000000000
local ZERO = {0, 0}

local function normal(high, low)
  local carry = math.floor(low / BASE)
  return {high + carry, low - carry * BASE}
end

local function amount(digits)
  if not digits then
    return ZERO
  end
  local sign = 1
  if string.sub(digits, 1, 1) == '-' then
    sign, digits = -1, string.sub(digits, 2)
  end
  return normal(sign * (tonumber(string.sub(digits, 1, -10)) or 0), sign * tonumber(string.sub(digits, -9)))
end

local function text(number)
  local high, low, sign = number[1], number[2], ''
  if high < 0 then
    high, low, sign = -high, 0 - low, '-'
    if low < 0 then
      high, low = high - 1, low + BASE
    end
  end
  if high == 0 then
    return sign .. string.format('%.0f', low)
  end
  return sign .. string.format('%.0f%09.0f', high, low)
end

local function plus(a, b)
  return normal(a[1] + b[1], a[2] + b[2])
end

local function minus(a, b)
  return normal(a[1] - b[1], a[2] - b[2])
end

local function at_most(a, b)
  return a[1] < b[1] or (a[1] == b[1] and a[2] <= b[2])
end

local function negative(digits)
  return text(minus(ZERO, amount(digits)))
end

-- The product of two numbers that are not negative, as parts of six digits, lowest first.
local function product(a, b)
  local function parts(number)
    local digits, found = text(number), {}
    while #digits > 6 do
      found[#found + 1] = tonumber(string.sub(digits, -6))
      digits = string.sub(digits, 1, -7)
    end
    found[#found + 1] = tonumber(digits)
    return found
  end
  local left, right, result = parts(a), parts(b), {}
  for i = 1, #left do
    local carry = 0
    for j = 1, #right do
      local sum = (result[i + j - 1] or 0) + left[i] * right[j] + carry
      carry = math.floor(sum / 1000000)
      result[i + j - 1] = sum - carry * 1000000
    end
    result[i + #right] = carry
  end
  return result
end

local function is_less(a, b)
  for place = math.max(#a, #b), 1, -1 do
    local left, right = a[place] or 0, b[place] or 0
    if left ~= right then
      return left < right
    end
  end
  return false
end
