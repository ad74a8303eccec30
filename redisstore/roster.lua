-- The rules of roster.go, in the same words and in the same order, on what read.lua has read.

local roster = { version = version, clock = clock, lapse = next_lapse, partial = partial }
local editing = { [section] = edited } -- how many sessions edit a section, as far as that was read
local dirty = {} -- fields to write

local function milliseconds(moment) return math.floor(moment / 1000) end

local function tick(at) roster.clock = math.max(roster.clock + 1, milliseconds(at)) end

-- visible raises the version, for something that happens now.
local function visible()
  tick(now)
  roster.version = roster.clock
end

-- Where a roster is older than a version that a node has shown, or is missing though the node
-- has seen it lately, Redis lost data: what is left is a new version, and people may be missing
-- for one heartbeat. Where there is no roster otherwise, the version is the last full FINALITY of
-- the time: the same for all nodes, and above all that there was, since ends are kept as long.
if not version and floor > 0 and not was_missing or version and version < floor then
  roster.clock, roster.lapse = math.max(clock or 0, floor), roster.lapse or 0
  visible()
  roster.partial, dirty.lost = true, now + HEARTBEAT
  if roster.lapse == 0 or dirty.lost < roster.lapse then roster.lapse = dirty.lost end
elseif not version then
  roster.version = math.max(milliseconds(now - now % FINALITY), floor)
  roster.clock, roster.lapse = roster.version, 0
end

local function count(section)
  if not editing[section] then editing[section] = tonumber(call('HGET', key, 'e' .. section) or 0) end
  return editing[section]
end

local function adjust(section, by)
  editing[section] = count(section) + by
  dirty['e' .. section] = editing[section]
end

local function changed(who, m)
  if who == whose then member = m end
  dirty[who] = m
end

-- place moves a session to a section and an activity, and keeps count.
local function place(s, section, activity)
  if s[ACTIVITY] == 'editing' then adjust(s[SECTION], -1) end
  s[SECTION], s[ACTIVITY] = section, activity
  if s[ACTIVITY] == 'editing' then adjust(s[SECTION], 1) end
end

local function live_until(s, moment)
  s[TILL] = moment
  if roster.lapse == 0 or moment < roster.lapse then roster.lapse = moment end
end

local function find(m, name)
  for _, s in ipairs(m[SESSIONS]) do
    if s[NAME] == name then return s end
  end
end

local function forgotten(at) return now - at > FINALITY end

local function digest(name) return redis.sha1hex(name):sub(1, 8) end

-- find_older gives where a session is in older.
local function find_older(m, name)
  local older, from = m[ENDED].older, 1
  if not older then return end
  local wanted = digest(name)
  while true do
    local at = older:find(wanted, from, true)
    if not at or (at - 1) % ENTRY == 0 then return at end
    from = at + 1
  end
end

-- ended gives the number of a session whose end is remembered: member.hasEnded.
local function ended(m, name)
  for _, e in ipairs(m[ENDED]) do
    if e[NAME] == name and not forgotten(e[AT]) then return e[SEQ] end
  end
  local place = find_older(m, name)
  if place then
    local seq, at = struct.unpack('>dd', m[ENDED].older, place + 8)
    if not forgotten(at) then return seq end
  end
end

-- has_dropped tells whether a session that is not known may be one that ended.
local function has_dropped(m) return m[ENDED].dropped and not forgotten(m[ENDED].dropped) end

-- newest is the highest number of any message of the session; MAX_SAFE for one that may have
-- ended and been dropped.
local function newest(m, name)
  local s = find(m, name)
  if s then return s[SEQ] end
  return ended(m, name) or has_dropped(m) and MAX_SAFE or 0
end

local function keep(list, wanted)
  local kept = {}
  for _, x in ipairs(list) do
    if wanted(x) then kept[#kept + 1] = x end
  end
  return kept
end

-- keep_ended keeps, of the newer ends of a member, those that are wanted.
local function keep_ended(m, wanted)
  local kept = keep(m[ENDED], wanted)
  kept.older, kept.dropped = m[ENDED].older, m[ENDED].dropped
  m[ENDED] = kept
end

-- set_older replaces older; what is empty is not kept.
local function set_older(m, older) m[ENDED].older = older ~= '' and older or nil end

local function forget(m, name)
  keep_ended(m, function(e) return e[NAME] ~= name end)
  local place = find_older(m, name)
  if place then
    local older = m[ENDED].older
    set_older(m, older:sub(1, place - 1) .. older:sub(place + ENTRY))
  end
end

-- remember keeps the end of a session; of those of one user, the last MAX_ENDED.
local function remember(m, e)
  local all = m[ENDED]
  all[#all + 1] = e
  if #all <= MAX_SESSIONS then return end
  local oldest = table.remove(all, 1)
  local older = (all.older or '') .. digest(oldest[NAME]) .. struct.pack('>dd', oldest[SEQ], oldest[AT])
  if #all + #older / ENTRY > MAX_ENDED then
    local _, at = struct.unpack('>dd', older, 1 + 8)
    all.dropped = math.max(all.dropped or 0, at)
    older = older:sub(1 + ENTRY)
  end
  set_older(m, older)
end

-- forget_ends drops what ended longer than FINALITY ago, and tells whether there was any.
local function forget_ends(m)
  local count, older = #m[ENDED], m[ENDED].older or ''
  keep_ended(m, function(e) return not forgotten(e[AT]) end)
  local from = 1
  while from < #older do
    local _, at = struct.unpack('>dd', older, from + 8)
    if not forgotten(at) then break end
    from = from + ENTRY
  end
  set_older(m, older:sub(from))
  if m[ENDED].dropped and forgotten(m[ENDED].dropped) then m[ENDED].dropped = nil end
  return #m[ENDED] < count or from > 1
end

-- finish takes a session out that ended at a moment: Roster.end.
local function finish(at, m, s)
  tick(at)
  place(s, '', '')
  m[SESSIONS] = keep(m[SESSIONS], function(other) return other ~= s end)
  remember(m, { s[NAME], s[SEQ], at })
end

-- succeed ends the sessions of a member that are leaving.
local function succeed(m)
  for _, s in ipairs(m[SESSIONS]) do
    if s[LEAVING] then finish(now, m, s) end
  end
end

-- staying counts the sessions that are not leaving.
local function staying(m)
  return #keep(m[SESSIONS], function(s) return not s[LEAVING] end)
end

local function edits(s, section) return s[ACTIVITY] == 'editing' and s[SECTION] == section end

-- occupied decides rule 5: whether other users than m are editing the section.
local function occupied(m, section)
  local own = 0
  for _, s in ipairs(m[SESSIONS]) do
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
  if (a[SECTION] ~= '') ~= (b[SECTION] ~= '') then return a[SECTION] ~= '' end
  if (a[ACTIVITY] ~= 'idle') ~= (b[ACTIVITY] ~= 'idle') then return a[ACTIVITY] ~= 'idle' end
  return a[TOUCHED] > b[TOUCHED]
end

-- look is all that others see of a member: member.fold and Occupant.looksLike.
local function look(m)
  if #m[SESSIONS] == 0 then return '' end
  local chief, sections, edited = m[SESSIONS][1], {}, {}
  for _, s in ipairs(m[SESSIONS]) do
    if outranks(s, chief) then chief = s end
    if s[SECTION] ~= '' then sections[#sections + 1] = s[SECTION] end
    if s[ACTIVITY] == 'editing' then edited[#edited + 1] = s[SECTION] end
  end
  return cmsgpack.pack({ m[NAME], m[VISITOR], chief[SECTION], chief[ACTIVITY], sorted(sections), sorted(edited) })
end

-- refold raises the version, to the clock, if anybody could see a difference.
local function refold(m, looked)
  if look(m) ~= looked then roster.version = roster.clock end
end

-- lapse ends the sessions whose time is over: Roster.Expire. What is to be forgotten goes
-- with it, as in Roster.Forget, and so does that people may be missing.
local function lapse()
  if roster.lapse == 0 or now <= roster.lapse then return end
  roster.lapse = 0
  local lost = dirty.lost
  local all = call('HGETALL', key)
  for i = 1, #all, 2 do
    if all[i] == 'lost' then
      lost = lost or tonumber(all[i + 1])
    elseif all[i]:sub(1, 1) == 'u' then
      local who, m = all[i], cmsgpack.unpack(all[i + 1])
      local living, looked = #m[SESSIONS], look(m)
      for _, s in ipairs(m[SESSIONS]) do
        if now > s[TILL] then finish(s[TILL], m, s) else live_until(s, s[TILL]) end
      end
      if #m[SESSIONS] < living then
        tick(now)
        refold(m, looked)
      end
      if forget_ends(m) or #m[SESSIONS] < living then changed(who, m) end
    end
  end
  if lost and now > lost then
    roster.partial, dirty.lost = false, 0
    visible()
  elseif lost and (roster.lapse == 0 or lost < roster.lapse) then
    roster.lapse = lost
  end
end

-- write gives a command as many of the arguments at a time as it can take.
local function write(command, arguments)
  for i = 1, #arguments, 1000 do
    call(command, key, unpack(arguments, i, math.min(i + 999, #arguments)))
  end
end

-- save writes down what has changed, keeps the key for as long as there is something to
-- remember, and wakes those who watch if something visible has changed, or will sooner than
-- they know.
local function save()
  local moved = roster.version ~= version
  if not next(dirty) and not (version and (moved or roster.lapse ~= next_lapse)) then return end -- or nobody was ever here
  local nearer = version and roster.lapse > 0 and roster.lapse < next_lapse -- a leave that waits
  if roster.lapse == 0 then roster.lapse = now + FINALITY end -- nobody lives, but there are ends to forget
  local set, del = {}, {}
  for field, value in pairs(dirty) do
    if value == 0 or type(value) == 'table' and #value[SESSIONS] == 0 and not next(value[ENDED]) then
      del[#del + 1] = field
    else
      set[#set + 1], set[#set + 2] = field, type(value) == 'table' and cmsgpack.pack(value) or value
    end
  end
  local spare = FINALITY + 2 * LEASE -- the rules may have had their turn a lease ago
  local stale = not fresh or now > fresh
  if stale then fresh = now + spare end
  if stale or moved or roster.clock ~= clock or roster.lapse ~= next_lapse then
    set[#set + 1], set[#set + 2] = 'roster', struct.pack(ROSTER, roster.version, roster.clock, roster.lapse, roster.partial and -fresh or fresh)
  end
  write('HSET', set)
  write('HDEL', del)
  if stale then call('PEXPIRE', key, milliseconds(2 * spare)) end
  if moved or nearer then call(PUBLISH, key, string.format('%.0f %.0f', roster.version, roster.lapse - now)) end
end

-- answer is what each operation gives: the time, the version (below zero while people may be
-- missing), in how long somebody lapses
-- or is to be forgotten at the soonest (-1 where there is no roster), all that is kept if
-- that is asked for, and what the operation adds.
local function answer(whole, ...)
  return { now, roster.partial and -roster.version or roster.version, roster.lapse > 0 and roster.lapse - now or -1, whole and call('HGETALL', key), ... }
end
