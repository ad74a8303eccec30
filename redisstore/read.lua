-- What Redis keeps of one project: a hash at KEYS[1] with these fields.
--
--   roster       four numbers, as ROSTER packs them: version and clock, as Roster has them, in
--                milliseconds; lapse, its nextLapse, or where nobody lives when there is
--                something to forget; and fresh, until when the key need not be kept alive
--                anew, below zero while people may be missing. Moments are in microseconds of
--                Unix time
--   lost         until when people may be missing because Redis lost data; only while they may
--   u<user id>   a member, in MessagePack
--   e<section>   how many sessions edit it, where there are any
--
-- Every script is made of constants (LEASE, HIDDEN_GRACE, BROKEN_GRACE, FINALITY,
-- MAX_SESSIONS, MAX_ENDED, MAX_SAFE, HEARTBEAT, SHIFT, PUBLISH), of what it was asked (ARGV[1] is a version that the
-- node has shown, below zero where that there is no roster does not mean that data was lost;
-- whose and section are what it is about),
-- of this text, of the rules, and of one operation. Nothing is read but the one hash, and of
-- that no more than is needed.

-- What is packed has no names, since names take as long again. These are the places of a
-- member, of a session, and of one that has ended.
local NAME, VISITOR, SESSIONS, ENDED = 1, 2, 3, 4
local SEQ, SECTION, ACTIVITY, SEEN, TILL, TOUCHED, LEAVING, CONNECTION = 2, 3, 4, 5, 6, 7, 8, 9
local AT = 3

-- ENDED of a member is the last MAX_SESSIONS sessions that ended, oldest first. Where more
-- are remembered, it has two fields besides:
--   older    those before them, oldest first, each in ENTRY bytes: 8 of a digest of the
--            name, then SEQ and AT as doubles. A string costs next to nothing to unpack.
--   dropped  AT of the newest one that was taken out for want of room (member.dropped)
local ENTRY = 24

local ROSTER = '>dddd' -- whole numbers, exact up to 2^53

local call = redis.call
local key, floor, was_missing = KEYS[1], tonumber(ARGV[1]), false
if floor < 0 then floor, was_missing = -floor, true end
local time = call('TIME')
local now = time[1] * 1000000 + time[2] + SHIFT

local version, clock, next_lapse, fresh, partial -- nil where there is no roster
local member -- the user whom it is about, if anything is known of them
local edited -- how many sessions edit the section
do
  local got = call('HMGET', key, 'roster', whose, 'e' .. section)
  if got[1] then
    version, clock, next_lapse, fresh = struct.unpack(ROSTER, got[1])
    if fresh < 0 then fresh, partial = -fresh, true end
  end
  if got[2] then member = cmsgpack.unpack(got[2]) end
  edited = tonumber(got[3] or 0)
end
