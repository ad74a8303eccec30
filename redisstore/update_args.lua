-- What Roster.Update is asked. ARGV: floor, have, user id, name, visitor, session, seq,
-- section, activity, unless_occupied, only_renew, poll, known.

local have = tonumber(ARGV[2])
local id, name, visitor = ARGV[3], ARGV[4], ARGV[5] == '1'
local session, seq, section, activity = ARGV[6], tonumber(ARGV[7]), ARGV[8], ARGV[9]
local careful, only_renew, poll, known = ARGV[10] == '1', ARGV[11] == '1', ARGV[12] == '1', tonumber(ARGV[13])
