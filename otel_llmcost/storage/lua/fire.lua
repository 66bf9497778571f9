-- Put an alert into the outbox unless it was told in its window already.
local request = cjson.decode(ARGV[1])
index(request.index)
local claim = place(request.claims[1])
if not tell(claim, claim.mark) then
  return {0}
end
send(request, claim, claim.record)
local due = {}
if not request.outbox then
  gather_due(claim, due)
end
return {1, unpack(due)}
