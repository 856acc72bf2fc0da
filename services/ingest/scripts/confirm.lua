-- Kafka has it: claims become duplicates' answers, registers are told.
--
-- input: {claim ttl s, event ids, links {{identity, sequence, owner} …}}
for _, event in ipairs(input[2]) do
  redis.call('SET', prefix .. 'c:' .. event, '1', 'EX', input[1])
end
for _, link in ipairs(input[3]) do
  local reg = register(link[1])
  if reg.s == link[2] then  -- else it has changed since, and that change has not been told
    confirm(reg)
  end
end
