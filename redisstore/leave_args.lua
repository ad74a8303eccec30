-- What Roster.Leave is asked. ARGV: floor, user id, name, visitor, session, seq, hidden,
-- broken, only_living.

local id, name, visitor = ARGV[2], ARGV[3], ARGV[4] == '1'
local session, seq = ARGV[5], tonumber(ARGV[6])
local hidden, broken, only_living = ARGV[7] == '1', ARGV[8] == '1', ARGV[9] == '1'
local section = ''
