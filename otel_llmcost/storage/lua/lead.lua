-- Take a duty or keep it; 0: another holds it.
local duty, holder, now, until_us = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local held = redis.call('HGET', KEYS[1], duty)
if held then
  local until_then, by = string.match(held, '^(%S+) (.*)$')
  if by ~= holder and tonumber(now) < tonumber(until_then) then
    return 0
  end
end
redis.call('HSET', KEYS[1], duty, until_us .. ' ' .. holder)
return 1
