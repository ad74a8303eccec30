-- Arguments of Roster.Remove. ARGV: floor, the user's id ('' for everybody), until (microseconds of Unix time).

local user, deadline = ARGV[2], tonumber(ARGV[3])
local user_field, section = 'u' .. user, ''
