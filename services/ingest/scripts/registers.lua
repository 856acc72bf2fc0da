-- What all scripts share: reading and changing the registers of one tenant.
--
-- Keys, each below the prefix `baton:ingest:{tenant}:`
--   ready      marker: the registers are complete; gone when Redis lost its data
--   r:<id>     register of an identity: s sequence, o owner (lead), d its own lead, k kind,
--              t leads that have not been told of the latest change yet (present: not confirmed)
--   m:<lead>   identities that belong to a lead
--   u:<lead>   those of them whose registers are not confirmed
--   c:<event>  claim: `1` confirmed, else lead (36 characters) and body of what was, or was about to be, published
local prefix = string.sub(KEYS[1], 1, -6)
local input = cmsgpack.unpack(ARGV[1])
local registers = {}

local function number(value)
  return string.format('%.0f', value)
end

local function register(id, kind, own)
  local found = registers[id]
  if not found then
    local row = redis.call('HMGET', prefix .. 'r:' .. id, 's', 'o', 'd', 'k', 't')
    found = {id = id, s = tonumber(row[1]) or 0, o = row[2], d = row[3] or own, k = row[4] or kind, t = row[5]}
    registers[id] = found
  end
  return found
end

local function belongs_to_nobody(reg)
  return reg.k == 'anonymous' and reg.o == reg.d
end

-- Give an identity to `owner` under `sequence`; who has to be told is kept with it.
local function assign(reg, owner, sequence, told)
  local earlier = reg.o
  local tell = reg.t or ''
  if not told then
    if not earlier and owner == reg.d then
      tell = ''  -- the first sight of an identity: its own lead has nothing to hand over
    else
      for _, lead in ipairs({reg.d, earlier or reg.d, owner}) do
        if not string.find(tell, lead, 1, true) then tell = tell .. lead .. ' ' end
      end
    end
  end
  if earlier then
    redis.call('SREM', prefix .. 'm:' .. earlier, reg.id)
    redis.call('SREM', prefix .. 'u:' .. earlier, reg.id)
  end
  reg.s, reg.o = sequence, owner
  redis.call('HSET', prefix .. 'r:' .. reg.id, 's', number(sequence), 'o', owner, 'd', reg.d, 'k', reg.k)
  if not belongs_to_nobody(reg) then redis.call('SADD', prefix .. 'm:' .. owner, reg.id) end
  if not told or reg.t then
    reg.t = tell
    redis.call('HSET', prefix .. 'r:' .. reg.id, 't', tell)
    redis.call('SADD', prefix .. 'u:' .. owner, reg.id)
  end
end

-- The topic has the latest change, and everybody has been told of it.
local function confirm(reg)
  redis.call('HDEL', prefix .. 'r:' .. reg.id, 't')
  redis.call('SREM', prefix .. 'u:' .. reg.o, reg.id)
  reg.t = nil
end
