-- Claim the events of one batch, and find or change the owners of the identities in them: one atomic step.
--
-- input: {now ms, most identities of a lead, events}
--   event: {event id, body, trusted, strong identities {{id, kind, own lead} …}, anonymous or false, previous or false,
--          claim ttl s}
-- answer: false where the registers are not complete; else {outcomes, links, conflicts, limited}
--   outcome: 0 for a confirmed claim; the lead for a new one; {lead, body} for a pending one: what was published, or was about to be
--   link: {identity, kind, owner, sequence, leads to tell};  conflict: {event, lead, other lead, identity};  limited: links not made
if redis.call('EXISTS', KEYS[1]) == 0 then return cmsgpack.pack(false) end

local now, most, events = input[1], input[2], input[3]
local pending, conflicts, limited = {}, {}, 0
local looked = {}

local function change(reg, owner)
  assign(reg, owner, math.max(reg.s + 1, now * 1000), false)
end

local function room(lead, more)
  if redis.call('SCARD', prefix .. 'm:' .. lead) + more <= most then return true end
  limited = limited + 1
  return false
end

local function merge(loser, survivor)
  for _, id in ipairs(redis.call('SMEMBERS', prefix .. 'm:' .. loser)) do
    change(register(id), survivor)
  end
end

-- The lead of the chief identity of an event, after what the event tells of its strong identities.
local function owner_of(strong, trusted, event)
  local chief = strong[1]
  for index = 2, #strong do
    local other = strong[index]
    if not chief.o and not other.o then change(chief, chief.d) end
    if chief.o and not other.o then
      change(other, room(chief.o, 1) and chief.o or other.d)
    elseif other.o and not chief.o then
      change(chief, room(other.o, 1) and other.o or chief.d)
    elseif chief.o ~= other.o then
      local survivor, loser = chief.o, other.o
      if loser < survivor then survivor, loser = loser, survivor end
      if trusted and room(survivor, redis.call('SCARD', prefix .. 'm:' .. loser)) then
        merge(loser, survivor)
      else
        conflicts[#conflicts + 1] = {event, chief.o, other.o, other.id}
      end
    end
  end
  if not chief.o then change(chief, chief.d) end
  return chief.o
end

-- An anonymous identity belongs to a lead while it was seen with this one alone; after that it is nobody's for good.
local function seen_with(anonymous, lead)
  if not anonymous.o then
    if room(lead, 1) then change(anonymous, lead) end
  elseif anonymous.o ~= lead and anonymous.o ~= anonymous.d then
    change(anonymous, anonymous.d)
  end
end

local function look(lead)  -- what of this lead was changed and never confirmed
  if looked[lead] then return end
  looked[lead] = true
  for _, id in ipairs(redis.call('SMEMBERS', prefix .. 'u:' .. lead)) do register(id) end
end

local function resolve(event)
  local strong = {}
  for index, known in ipairs(event[4]) do strong[index] = register(known[1], known[2], known[3]) end
  local anonymous = event[5] and register(event[5][1], event[5][2], event[5][3])
  if event[6] then
    local previous = register(event[6][1], event[6][2], event[6][3])
    if previous.o then
      strong[#strong + 1] = previous
      anonymous = nil
    end
  end
  local lead
  if #strong > 0 then
    lead = owner_of(strong, event[3], event[1])
    if anonymous then
      for _, known in ipairs(strong) do seen_with(anonymous, known.o) end
    end
  else
    lead = anonymous.o or anonymous.d
  end
  look(lead)
  return lead
end

local outcomes = {}
for index, event in ipairs(events) do
  local key = prefix .. 'c:' .. event[1]
  local claim = redis.call('GET', key)
  if claim == '1' then
    outcomes[index] = 0
  else
    local lead = resolve(event)
    if claim then
      outcomes[index] = {string.sub(claim, 1, 36), string.sub(claim, 37)}
    else
      redis.call('SET', key, lead .. event[2], 'EX', event[7])
      outcomes[index] = lead
    end
  end
end

local links = {}
for _, reg in pairs(registers) do
  if reg.t then links[#links + 1] = {reg.id, reg.k, reg.o, reg.s, reg.t} end
end
return cmsgpack.pack({outcomes, links, conflicts, limited})
