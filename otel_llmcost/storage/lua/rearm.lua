-- Let a mark of a balance be told again.
local request = cjson.decode(ARGV[1])
local claim = place(request.claims[1])
local field = claim.bucket .. ':told'
local told = redis.call('HGET', claim.cells, field) or ''
local from, till = string.find(told, '\n' .. claim.mark .. '\n', 1, true)
if not from then
  return 0
end
redis.call('HSET', claim.cells, field, string.sub(told, 1, from - 1) .. string.sub(told, till + 1))
return 1
