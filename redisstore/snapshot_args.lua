-- What Roster.Snapshot is asked. ARGV: floor, have.

local have = tonumber(ARGV[2])
local whose, section = '', ''
