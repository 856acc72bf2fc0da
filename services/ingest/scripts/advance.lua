-- Note how far the topic has been applied: KEYS[1] is a hash, partition -> next offset (and `t:<tenant>` per tenant opened).
--
-- input: {complete, {{partition, from, to} …}}; complete: everything before `to` has been applied, whatever the hash says
-- answer: 1; or 0 where Redis knows less than it was told: it has lost data
local input = cmsgpack.unpack(ARGV[1])
for _, step in ipairs(input[2]) do
  local known = tonumber(redis.call('HGET', KEYS[1], step[1]) or false)
  if not input[1] and (not known or known < step[2]) then return 0 end
  if not known or step[3] > known then redis.call('HSET', KEYS[1], step[1], string.format('%.0f', step[3])) end
end
return 1
