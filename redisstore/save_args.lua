-- Arguments of Roster.Save. ARGV: floor, user (the user id), name, saved_section and saved_revision.

local user, name, saved_section, saved_revision = ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local user_field, section = '', ''
