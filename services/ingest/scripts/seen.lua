-- Add what one process has seen of a source: KEYS[1] is the hash of a day, KEYS[2] counts events by minute.
--
-- input: {ttl s, counts {field -> n}, largest {field -> value}, minutes {minute -> n}, first minute worth keeping}
local input = cmsgpack.unpack(ARGV[1])
for field, count in pairs(input[2]) do redis.call('HINCRBY', KEYS[1], field, count) end
for field, value in pairs(input[3]) do
  local known = tonumber(redis.call('HGET', KEYS[1], field) or false)
  if not known or value > known then redis.call('HSET', KEYS[1], field, string.format('%.0f', value)) end
end
redis.call('EXPIRE', KEYS[1], input[1])
for minute, count in pairs(input[4]) do redis.call('HINCRBY', KEYS[2], minute, count) end
for _, minute in ipairs(redis.call('HKEYS', KEYS[2])) do
  if tonumber(minute) < input[5] then redis.call('HDEL', KEYS[2], minute) end
end
redis.call('EXPIRE', KEYS[2], 900)
