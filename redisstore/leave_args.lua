-- What Roster.Leave is asked. ARGV: floor, whose (u<user id>), name, session, seq, flags
-- (1 visitor, 2 hidden, 4 broken, 8 only_living), connection (0 for a leave that somebody sent).

local whose, name, flags = ARGV[2], ARGV[3], tonumber(ARGV[6])
local session, seq, connection = ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[7])
local visitor, hidden = bit.band(flags, 1) ~= 0, bit.band(flags, 2) ~= 0
local broken, only_living = bit.band(flags, 4) ~= 0, bit.band(flags, 8) ~= 0
local section = ''
