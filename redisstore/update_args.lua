-- Arguments of Roster.Update. ARGV: floor, cached_version (the version of the snapshot that the
-- node has, or 0), user_field ('u' and the user id), name, session, seq, section, activity, flags
-- (bits: 1 visitor, 2 unless_occupied, 4 only_renew), known_version (the version that the client
-- has; '' if it does not poll), connection (0 for HTTP). Booleans share one argument because each
-- argument costs Redis about as much as a line of Lua.

local user_field, name, flags = ARGV[3], ARGV[4], tonumber(ARGV[9])
local visitor = bit.band(flags, 1) ~= 0
local session, seq, section, activity = ARGV[5], tonumber(ARGV[6]), ARGV[7], ARGV[8]
local known_version, connection = ARGV[10] ~= '' and tonumber(ARGV[10]), tonumber(ARGV[11])
