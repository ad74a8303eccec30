-- Arguments of Roster.Update. ARGV: floor, cached_version (the version of the snapshot that the
-- node has, or 0), user_field ('u' and the user id), name, session, seq, section, activity, flags
-- (bits: 1 visitor, 2 unless_occupied, 4 only_renew, 8 unsaved, 16 agent, 32 poll), known_version (the
-- version that the client has, 0 for none), connection (0 for HTTP); and, unless all of them are
-- empty, waiting_for, avatar, saved_section, saved_revision and lease (microseconds; 0 for that of all). Booleans share one argument, and few
-- updates have the last ones, because each argument costs Redis about as much as a line of Lua.

local user_field, name, flags = ARGV[3], ARGV[4], tonumber(ARGV[9])
local visitor, agent = bit.band(flags, 1) ~= 0, bit.band(flags, 16) ~= 0
local session, seq, section, activity = ARGV[5], tonumber(ARGV[6]), ARGV[7], ARGV[8]
local unsaved = section ~= '' and bit.band(flags, 8) ~= 0
local known_version, connection, polls = tonumber(ARGV[10]), tonumber(ARGV[11]), bit.band(flags, 32) ~= 0
local waiting_for, avatar, saved_section, saved_revision = '', '', '', ''
local lease = LEASE
if ARGV[12] then
  waiting_for, avatar, saved_section, saved_revision, lease = ARGV[12], ARGV[13], ARGV[14], ARGV[15], tonumber(ARGV[16])
  if lease == 0 or lease > LEASE then lease = LEASE end
end
