-- Arguments of Roster.Leave. ARGV: floor, user_field ('u' and the user id), name, session, seq,
-- flags (bits: 1 visitor, 2 hidden, 4 broken, 8 only_living), connection (0 if a client sent it).

local user_field, name, flags = ARGV[2], ARGV[3], tonumber(ARGV[6])
local session, seq, connection = ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[7])
local visitor, hidden = bit.band(flags, 1) ~= 0, bit.band(flags, 2) ~= 0
local broken, only_living = bit.band(flags, 4) ~= 0, bit.band(flags, 8) ~= 0
local section = ''
