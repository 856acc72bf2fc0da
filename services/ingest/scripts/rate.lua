-- GCRA: one register, the moment at which all that was let through will have been paid for ("theoretical arrival time").
-- KEYS[1]: of the source.  ARGV: microseconds per call at the rate; calls at once.  Gives the microseconds to wait, 0: go on.
local interval, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local most = now + interval * burst

local function keep(paid)
  redis.call('SET', KEYS[1], string.format('%.0f', paid), 'PX', math.max(1, math.ceil((paid - now) / 1000)))
end

local paid = math.max(tonumber(redis.call('GET', KEYS[1]) or 0), now)
if paid > most then -- it is of a slower rate, or the clock was set back: nobody waits for longer than his own burst
  paid = most
  keep(paid)
end
local wait = math.ceil(paid + interval - most)
if wait > 0 then
  return wait
end
keep(paid + interval)
return 0
