-- What a person decides about identities: one atomic step.
--
-- input: {now ms, most identities of a lead, action, one, other}
--   one, other: {'lead', id}, {'identity', id, own lead} or false
--   action: 'link' (the leads of both become one), 'unlink' (`one` goes back to its own lead; `other`: the lead it has to be
--   with, or false), 'show'
-- answer: false where the registers are not complete; else {outcome, lead, earlier lead, links, identities}
--   outcome: done, same (it is so already), unknown, unknown_other, nobody, full, elsewhere, own
--   link: as resolve.lua answers it;  identities: {id, kind, own lead, sequence, told} of all that belong to `lead`
if redis.call('EXISTS', KEYS[1]) == 0 then return cmsgpack.pack(false) end

local now, most, action, one, other = input[1], input[2], input[3], input[4], input[5]

local function change(reg, owner)
  assign(reg, owner, math.max(reg.s + 1, now * 1000), false)
end

local function members(lead)
  local found = redis.call('SMEMBERS', prefix .. 'm:' .. lead)
  table.sort(found)
  return found
end

-- The lead that is meant, and its register where an identity was named; nothing where it was never seen.
local function meant(who)
  if who[1] == 'lead' then
    if #members(who[2]) == 0 then return nil end
    return who[2]
  end
  local reg = register(who[2], false, who[3])
  if not reg.o then
    registers[who[2]] = nil
    return nil
  end
  return reg.o, reg
end

local function answer(outcome, lead, earlier)
  -- What was changed and never told: an earlier command may have died half-way.
  for _, each in ipairs({lead or false, earlier or false}) do
    if each then
      for _, id in ipairs(redis.call('SMEMBERS', prefix .. 'u:' .. each)) do register(id) end
    end
  end
  local links, identities = {}, {}
  if action ~= 'show' then
    for _, reg in pairs(registers) do
      if reg.t then links[#links + 1] = {reg.id, reg.k, reg.o, reg.s, reg.t} end
    end
  end
  if lead then
    for _, id in ipairs(members(lead)) do
      local reg = register(id)
      identities[#identities + 1] = {id, reg.k, reg.d, reg.s, not reg.t}
    end
  end
  return cmsgpack.pack({outcome, lead or false, earlier or false, links, identities})
end

local lead, reg = meant(one)
if not lead then return answer('unknown') end

if action == 'show' then return answer('done', lead) end

if action == 'unlink' then
  if other and other[2] ~= lead then return answer('elsewhere', lead) end
  if reg.o == reg.d then return answer('own', lead) end
  change(reg, reg.d)
  return answer('done', reg.d, lead)
end

local second, second_reg = meant(other)
if not second then return answer('unknown_other') end
if lead == second then return answer('same', lead) end
-- An anonymous id that is nobody's belongs to whom a person says, until it is seen with another lead.
local drifter = (reg and belongs_to_nobody(reg) and reg) or (second_reg and belongs_to_nobody(second_reg) and second_reg)
if drifter then
  local home = drifter == reg and second or lead
  if #members(home) == 0 then return answer('nobody') end
  if #members(home) + 1 > most then return answer('full', home) end
  change(drifter, home)
  return answer('done', home, drifter.d)
end
local survivor, loser = lead, second
if loser < survivor then survivor, loser = loser, survivor end
local moved = members(loser)
if #members(survivor) + #moved > most then return answer('full', survivor) end
for _, id in ipairs(moved) do change(register(id), survivor) end
return answer('done', survivor, loser)
