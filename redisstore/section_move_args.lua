-- Arguments of Roster.Move. ARGV: floor, from and to.

local move = { 0, ARGV[2], ARGV[3] }
local user_field, section = '', ''
