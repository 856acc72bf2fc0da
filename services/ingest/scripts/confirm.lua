-- Kafka has it: claims become duplicates' answers, registers are told.
--
-- input: {claims {{event id, ttl s} …}, links {{identity, sequence, owner} …}}
for _, claim in ipairs(input[1]) do
  redis.call('SET', prefix .. 'c:' .. claim[1], '1', 'EX', claim[2])
end
for _, link in ipairs(input[2]) do
  local reg = register(link[1])
  if reg.s == link[2] then  -- else it has changed since, and that change has not been told
    confirm(reg)
  end
end
