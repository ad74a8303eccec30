-- What Roster.Update is asked. ARGV: floor, have, whose (u<user id>), name, session, seq,
-- section, activity, flags (1 visitor, 2 unless_occupied, 4 only_renew), known, which is ''
-- unless the whole list is asked for, and connection, 0 for an update over HTTP. Each argument takes Redis as long as a line of Lua.

local whose, name, flags = ARGV[3], ARGV[4], tonumber(ARGV[9])
local visitor = bit.band(flags, 1) ~= 0
local session, seq, section, activity = ARGV[5], tonumber(ARGV[6]), ARGV[7], ARGV[8]
local known, connection = ARGV[10] ~= '' and tonumber(ARGV[10]), tonumber(ARGV[11])
