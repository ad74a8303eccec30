-- Reads the roster, one member and one count. Redis keeps a project as one hash at KEYS[1]:
--
--   roster       four numbers, packed as in ROSTER: version and clock, as in Roster, in
--                milliseconds; next_expiry, as Roster.nextExpiry (or, if nobody is online, when a
--                save or an ended session can be forgotten); and keep_until, before which the key's
--                PEXPIRE need not be renewed, negative while people may be missing. Both are
--                microseconds of Unix time
--   lost         until when people may be missing because Redis lost data; only while they may
--   u<user id>   a member, in MessagePack
--   e<section>   the number of sessions that claim the section; no field stands for 0
--   s<section>   the newest save of the section, in MessagePack
--   count        the number of saves; no field stands for 0
--   owners       the living sessions whose names nobody could guess (Roster.owners): a line for each,
--                with 8 of a digest of the name, and the field of its member. A line begins after \n
--                and ends with it. One field is much cheaper to read with the others than many
--   moves        the newest moves of sections, oldest first, in MessagePack: version, from and to of each
--   removals     the removals, in MessagePack; see removal.lua
--   kept         until when the removals have to be kept, in microseconds of Unix time
--   oldest       the sections of the oldest saves, oldest first; see drop_oldest in save.lua
--
-- A script is the text of constants (LEASE, HIDDEN_GRACE, BROKEN_GRACE, FINALITY, MAX_SESSIONS,
-- MAX_ENDED, MAX_SAVES, MAX_MOVES, MAX_REMOVALS, REMOVAL_KEPT, MAX_SECTION, MAX_SAFE,
-- UNGUESSABLE_NAME, HEARTBEAT, SHIFT, PUBLISH), its arguments, this
-- file, and its other files; see script.go, which replaces constants by their values. It reads nothing
-- but the one hash, and only the fields that it needs.

-- Positions in a packed member, session, ended session and save. Names instead would make each
-- renewal slower (ADR 12). Older nodes read exactly four elements of a member, and ignore those of a
-- session that they do not know, so each session has AVATAR and AGENT of its user. A session in Redis
-- ends before UNSAVED if its last four elements would say nothing (see complete and packed).
local NAME, VISITOR, SESSIONS, ENDED = 1, 2, 3, 4
local SEQ, SECTION, ACTIVITY, LAST_SEEN, EXPIRES, TOUCHED, LEAVING, CONNECTION = 2, 3, 4, 5, 6, 7, 8, 9
local UNSAVED, WAITING_FOR, AVATAR, AGENT = 10, 11, 12, 13
local AT = 3
local VERSION, FROM, TO = 1, 2, 3
local REVISION, SAVED_BY, SAVED_NAME, SAVED_AT = 1, 2, 3, 4

-- ENDED of a member has the last MAX_SESSIONS sessions that ended, oldest first. If there are more,
-- it also has two named fields:
--   older    the sessions that ended before, oldest first, ENTRY bytes each: 8 of a digest of the
--            name, then SEQ and AT as doubles. One string is much cheaper to unpack than tables.
--   dropped  AT of the newest session that was dropped from older (member.dropped)
local ENTRY = 24

local ROSTER = '>dddd' -- doubles hold whole numbers exactly up to 2^53

-- floor is a version that the node has returned. It is sent negative if a missing roster is no sign
-- that Redis lost data.
local call = redis.call
local key, floor, may_be_missing = KEYS[1], tonumber(ARGV[1]), false
if floor < 0 then floor, may_be_missing = -floor, true end
local time = call('TIME')
local now = time[1] * 1000000 + time[2] + SHIFT

local version, clock, next_expiry, keep_until, partial -- nil if there is no roster
local loaded -- the member of the user; nil if there is none
local claimants -- the number of sessions that claim the section
local moves -- the moves of sections; nil if there are none
do
  local got = call('HMGET', key, 'roster', user_field, 'e' .. section, 'moves')
  if got[1] then
    version, clock, next_expiry, keep_until = struct.unpack(ROSTER, got[1])
    if keep_until < 0 then keep_until, partial = -keep_until, true end
  end
  if got[2] then loaded = cmsgpack.unpack(got[2]) end
  claimants = tonumber(got[3] or 0)
  if got[4] then moves = cmsgpack.unpack(got[4]) end
end
