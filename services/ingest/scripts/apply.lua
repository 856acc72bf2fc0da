-- Take in registers as they stand in the topic: of one identity the highest sequence wins, so order and repetition do not matter.
--
-- input: {{identity, kind, own lead, owner, sequence} …}
for _, link in ipairs(input) do
  local reg = register(link[1], link[2], link[3])
  if link[5] > reg.s then
    if reg.t and not string.find(reg.t, link[4], 1, true) then reg.t = reg.t .. link[4] .. ' ' end
    assign(reg, link[4], link[5], true)
  elseif link[5] < reg.s and not reg.t then
    -- A slower process wrote it after the newer one, and the topic keeps what is written last: write the newer one again.
    redis.call('HSET', prefix .. 'r:' .. reg.id, 't', '')
    redis.call('SADD', prefix .. 'u:' .. reg.o, reg.id)
    reg.t = ''
  elseif link[5] == reg.s and reg.t == '' then
    confirm(reg)
  end
end
