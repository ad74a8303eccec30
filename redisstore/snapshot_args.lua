-- Arguments of Roster.Snapshot. ARGV: floor, cached_version (the version of the snapshot that the
-- node has, or 0).

local cached_version = tonumber(ARGV[2])
local user_field, section = '', ''
