-- Raise a balance to what the ledger says was spent on it, never lower; or set it to that where it was counted on other
-- terms until now.
local request = cjson.decode(ARGV[1])
local claim = place(request.claims[1])
begin(claim)
if request.is_anew then
  for _, name in ipairs({'settled', 'suspected', 'calls'}) do
    redis.call('HDEL', claim.cells, claim.bucket .. ':' .. name)
  end
  let_go_of_expired(claim)
end
for _, raised in ipairs({{SPENT, 'settled', claim.spent}, {{'calls'}, 'calls', claim.calls}}) do
  local more = minus(amount(raised[3]), in_bucket(claim, claim.bucket, raised[1]))
  if not at_most(more, ZERO) then
    add(claim, claim.bucket, raised[2], text(more))
  end
end
return 1
