-- EventStore.Claim and Renew, on the hash at KEYS[1]:
--
--   holder, until   who has the claim, and for how long, in microseconds of Unix time
--   version, occupied, state   as in Announcement
--   at              when it was claimed or written last; a project that somebody is in is claimed again after an hour, so
--                   that the key does not expire
--
-- ARGV: holder, ttl (microseconds), renew (1 for Renew). It returns whether the holder has the claim, and for Claim the
-- announcement.

local call, key, holder = redis.call, KEYS[1], ARGV[1]
local time = call('TIME')
local now = time[1] * 1000000 + time[2] + SHIFT
local got = call('HMGET', key, 'holder', 'until')
local taken, mine = got[2] and now < tonumber(got[2]), got[1] == holder
local renew = ARGV[3] == '1'
if renew and not (taken and mine) or not renew and taken then return { 0 } end
call('HSET', key, 'holder', holder, 'until', string.format('%.0f', now + ARGV[2]))
if not renew then call('HSET', key, 'at', string.format('%.0f', now)) end
call('PEXPIRE', key, ANNOUNCED)
if renew then return { 1 } end
return { 1, unpack(call('HMGET', key, 'version', 'occupied', 'state')) }
