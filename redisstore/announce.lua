-- EventStore.Announce; see claim.lua for the hash. ARGV: holder, version, occupied, state. It returns whether the
-- holder has the claim.

local call, key = redis.call, KEYS[1]
local time = call('TIME')
local now = time[1] * 1000000 + time[2] + SHIFT
local got = call('HMGET', key, 'holder', 'until')
if got[1] ~= ARGV[1] or now >= tonumber(got[2]) then return { 0 } end
call('HSET', key, 'version', ARGV[2], 'occupied', ARGV[3], 'state', ARGV[4], 'at', string.format('%.0f', now))
call('PEXPIRE', key, ANNOUNCED)
return { 1 }
