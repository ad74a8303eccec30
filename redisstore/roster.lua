-- The rules of roster.go, in the same words and in the same order, on what Redis keeps of
-- one project: a hash at KEYS[1] with these fields.
--
--   version, clock   as Roster has them, in milliseconds
--   lapse            as nextLapse; all moments are in microseconds of Unix time
--   fresh            until when the key need not be kept alive anew
--   u<user id>       a member, packed: name, visitor, sessions, ended
--   e<section>       how many sessions edit it, where there are any
--
-- Before this text stand the constants LEASE, HIDDEN_GRACE, BROKEN_GRACE, FINALITY,
-- MAX_SESSIONS, SHIFT and PUBLISH; after it, one operation. Nothing outside of KEYS[1] is
-- read, and of that nothing that the operation does not need.

local key, floor = KEYS[1], tonumber(ARGV[1])
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2] + SHIFT

local roster  -- version, clock, lapse and fresh
local members = {} -- by user id, as far as they were read
local editing = {} -- by section, likewise
local dirty = {}   -- fields to write
local before       -- version, clock and lapse as they are written

local function milliseconds(moment) return math.floor(moment / 1000) end

local function tick(at) roster.clock = math.max(roster.clock + 1, milliseconds(at)) end

-- read finds the roster, and a member and a section with it. Where there is none, versions
-- begin with the time. Where it is older than one that was told of, data was lost, and
-- what is left of it is new.
local function read(id, section)
  local got = redis.call('HMGET', key, 'version', 'clock', 'lapse', 'fresh', 'u' .. (id or ''), 'e' .. (section or ''))
  roster = { version = tonumber(got[1]), clock = tonumber(got[2]), lapse = tonumber(got[3]), fresh = tonumber(got[4]) }
  before = { version = roster.version, clock = roster.clock, lapse = roster.lapse }
  if id then members[id] = got[5] and cmsgpack.unpack(got[5]) end
  if section then editing[section] = tonumber(got[6] or 0) end
  if not roster.version then
    roster.version = math.max(milliseconds(now), floor + 1)
    roster.clock = roster.version
  elseif roster.version < floor then
    roster.clock = math.max(roster.clock, floor)
    tick(now)
    roster.version = roster.clock
  end
end

local function count(section)
  if not editing[section] then editing[section] = tonumber(redis.call('HGET', key, 'e' .. section) or 0) end
  return editing[section]
end

local function adjust(section, by)
  editing[section] = count(section) + by
  dirty['e' .. section] = editing[section]
end

local function changed(id, m)
  members[id] = m
  dirty['u' .. id] = m
end

-- place moves a session to a section and an activity, and keeps count.
local function place(s, section, activity)
  if s.activity == 'editing' then adjust(s.section, -1) end
  s.section, s.activity = section, activity
  if s.activity == 'editing' then adjust(s.section, 1) end
end

local function live_until(s, moment)
  s.till = moment
  if not roster.lapse or moment < roster.lapse then roster.lapse = moment end
end

local function find(m, name)
  for _, s in ipairs(m.sessions) do
    if s.name == name then return s end
  end
end

local function forgotten(e) return now - e.at > FINALITY end

-- newest is the highest number of any message of the session.
local function newest(m, name)
  local s = find(m, name)
  if s then return s.seq end
  for _, e in ipairs(m.ended) do
    if e.name == name and not forgotten(e) then return e.seq end
  end
  return 0
end

local function keep(list, wanted)
  local kept = {}
  for _, x in ipairs(list) do
    if wanted(x) then kept[#kept + 1] = x end
  end
  return kept
end

local function forget(m, name)
  m.ended = keep(m.ended, function(e) return e.name ~= name end)
end

local function remember(m, e)
  m.ended[#m.ended + 1] = e
  if #m.ended > MAX_SESSIONS then table.remove(m.ended, 1) end
end

-- finish takes a session out that ended at a moment: Roster.end.
local function finish(at, m, s)
  tick(at)
  place(s, '', '')
  m.sessions = keep(m.sessions, function(other) return other ~= s end)
  remember(m, { name = s.name, seq = s.seq, at = at })
end

-- succeed ends the sessions of a member that are leaving.
local function succeed(m)
  for _, s in ipairs(m.sessions) do
    if s.leaving then finish(now, m, s) end
  end
end

-- staying counts the sessions that are not leaving.
local function staying(m)
  return #keep(m.sessions, function(s) return not s.leaving end)
end

local function edits(s, section) return s.activity == 'editing' and s.section == section end

-- occupied decides rule 5: whether other users than m are editing the section.
local function occupied(m, section)
  local own = 0
  for _, s in ipairs(m.sessions) do
    if edits(s, section) then own = own + 1 end
  end
  return count(section) > own
end

local function sorted(sections)
  table.sort(sections)
  local once = {}
  for i, section in ipairs(sections) do
    if section ~= sections[i - 1] then once[#once + 1] = section end
  end
  return once
end

-- outranks decides rule 3, as the rank in member.fold does.
local function outranks(a, b)
  if (a.section ~= '') ~= (b.section ~= '') then return a.section ~= '' end
  if (a.activity ~= 'idle') ~= (b.activity ~= 'idle') then return a.activity ~= 'idle' end
  return a.touched > b.touched
end

-- look is all that others see of a member: member.fold and Occupant.looksLike.
local function look(m)
  if #m.sessions == 0 then return '' end
  local chief, sections, edited = m.sessions[1], {}, {}
  for _, s in ipairs(m.sessions) do
    if outranks(s, chief) then chief = s end
    if s.section ~= '' then sections[#sections + 1] = s.section end
    if s.activity == 'editing' then edited[#edited + 1] = s.section end
  end
  return cmsgpack.pack({ m.name, m.visitor, chief.section, chief.activity, sorted(sections), sorted(edited) })
end

-- refold raises the version, to the clock, if anybody could see a difference.
local function refold(m, looked)
  if look(m) ~= looked then roster.version = roster.clock end
end

-- lapse ends the sessions whose time is over: Roster.Lapse. What is to be forgotten goes
-- with it, as in Roster.Forget.
local function lapse()
  if not roster.lapse or now <= roster.lapse then return end
  roster.lapse = nil
  local all = redis.call('HGETALL', key)
  for i = 1, #all, 2 do
    if all[i]:sub(1, 1) == 'u' then
      local id, m = all[i]:sub(2), cmsgpack.unpack(all[i + 1])
      local living, looked = #m.sessions, look(m)
      local ended = #m.ended
      for _, s in ipairs(m.sessions) do
        if now > s.till then finish(s.till, m, s) else live_until(s, s.till) end
      end
      if #m.sessions < living then
        tick(now)
        refold(m, looked)
      end
      m.ended = keep(m.ended, function(e) return not forgotten(e) end)
      if #m.sessions < living or #m.ended < ended then changed(id, m) end
    end
  end
end

-- write gives a command as many of the arguments at a time as it can take.
local function write(command, arguments)
  for i = 1, #arguments, 1000 do
    redis.call(command, key, unpack(arguments, i, math.min(i + 999, #arguments)))
  end
end

-- save writes down what has changed, keeps the key for as long as there is something to
-- remember, and wakes those who watch if something visible has changed.
local function save()
  local set, del = {}, {}
  local function put(field, value)
    set[#set + 1], set[#set + 2] = field, value
  end
  for field, value in pairs(dirty) do
    if value == 0 or type(value) == 'table' and #value.sessions + #value.ended == 0 then
      del[#del + 1] = field
    else
      put(field, type(value) == 'table' and cmsgpack.pack(value) or value)
    end
  end
  if roster.lapse ~= before.lapse then
    if roster.lapse then put('lapse', roster.lapse) else del[#del + 1] = 'lapse' end
  end
  if #set + #del == 0 and not (before.version and before.version < roster.version) then return end -- nobody was ever here
  if roster.clock ~= before.clock then put('clock', roster.clock) end
  if roster.version ~= before.version then put('version', roster.version) end
  local spare = FINALITY + LEASE
  local stale = not roster.fresh or now > roster.fresh
  if stale then put('fresh', now + spare) end
  write('HSET', set)
  write('HDEL', del)
  if stale then redis.call('PEXPIRE', key, milliseconds(2 * spare)) end
  if roster.version ~= before.version then redis.call(PUBLISH, key, roster.version) end
end

-- answer is what each operation gives: the time, the version, in how long somebody lapses
-- at the soonest (-1 for never), what the operation adds, and all that is kept of
-- everybody, if that is asked for.
local function answer(whole, ...)
  local all = {}
  if whole then
    local got = redis.call('HGETALL', key)
    for i = 1, #got, 2 do
      if got[i]:sub(1, 1) == 'u' then
        all[#all + 1] = got[i]:sub(2)
        all[#all + 1] = got[i + 1]
      end
    end
  end
  return { now, roster.version, roster.lapse and roster.lapse - now or -1, whole and 1 or 0, all, ... }
end
