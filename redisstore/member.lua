-- The rules of one member: member.go, in functions of the same names and order.

-- complete adds the last elements of the sessions that have none in Redis; one that a much older node
-- wrote has no CONNECTION either.
local function complete(m)
  for _, s in ipairs(m[SESSIONS]) do
    s[CONNECTION] = s[CONNECTION] or 0
    if s[UNSAVED] == nil then s[UNSAVED], s[WAITING_FOR], s[AVATAR], s[AGENT] = false, '', '', false end
  end
  return m
end

-- packed packs a member for Redis and for the node, once. The rules must not use the member afterwards.
local texts = {}
local function packed(m)
  if texts[m] then return texts[m] end
  for _, s in ipairs(m[SESSIONS]) do
    if not s[UNSAVED] and s[WAITING_FOR] == '' and s[AVATAR] == '' and not s[AGENT] then
      s[UNSAVED], s[WAITING_FOR], s[AVATAR], s[AGENT] = nil, nil, nil, nil
    end
  end
  texts[m] = cmsgpack.pack(m)
  return texts[m]
end

-- claims decides rule 18: a session claims its section while it edits it or has unsaved changes in it.
local function claims(s, section) return (s[ACTIVITY] == 'editing' or s[UNSAVED]) and s[SECTION] == section end

-- outranks decides rule 3, as session.outranks does.
local function outranks(a, b)
  if (a[SECTION] ~= '') ~= (b[SECTION] ~= '') then return a[SECTION] ~= '' end
  if (a[ACTIVITY] ~= 'idle') ~= (b[ACTIVITY] ~= 'idle') then return a[ACTIVITY] ~= 'idle' end
  return a[TOUCHED] > b[TOUCHED]
end

local function find(m, name)
  for _, s in ipairs(m[SESSIONS]) do
    if s[NAME] == name then return s end
  end
end

-- forgotten reports whether a session that ended at that time ended longer than FINALITY ago.
local function forgotten(at) return now - at > FINALITY end

-- digest stands for the name of a session in the strings older and owners; see read.lua.
local function digest(name) return redis.sha1hex(name):sub(1, 8) end

-- find_older returns the position of a session in older.
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

local function set_older(m, older) m[ENDED].older = older ~= '' and older or nil end

-- ended_seq returns the number with which a session ended, or nil if that is not kept.
local function ended_seq(m, name)
  for _, e in ipairs(m[ENDED]) do
    if e[NAME] == name and not forgotten(e[AT]) then return e[SEQ] end
  end
  local place = find_older(m, name)
  if place then
    local seq, at = struct.unpack('>dd', m[ENDED].older, place + 8)
    if not forgotten(at) then return seq end
  end
end

-- has_dropped reports whether an unknown session may be an ended one that was dropped.
local function has_dropped(m) return m[ENDED].dropped and not forgotten(m[ENDED].dropped) end

-- newest_seq returns the highest number of any message of the session, 0 for an unknown session,
-- and MAX_SAFE for one that may have ended and been dropped.
local function newest_seq(m, name)
  local s = find(m, name)
  if s then return s[SEQ] end
  return ended_seq(m, name) or has_dropped(m) and MAX_SAFE or 0
end

-- add_ended keeps the end of a session. If more than MAX_ENDED are kept, it drops the oldest.
local function add_ended(m, e)
  local ended = m[ENDED]
  ended[#ended + 1] = e
  if #ended <= MAX_SESSIONS then return end
  local oldest = table.remove(ended, 1)
  local older = (ended.older or '') .. digest(oldest[NAME]) .. struct.pack('>dd', oldest[SEQ], oldest[AT])
  if #ended + #older / ENTRY > MAX_ENDED then
    local _, at = struct.unpack('>dd', older, 1 + 8)
    ended.dropped = math.max(ended.dropped or 0, at)
    older = older:sub(1 + ENTRY)
  end
  set_older(m, older)
end

-- filter returns the elements of a list that are wanted.
local function filter(list, wanted)
  local kept = {}
  for _, x in ipairs(list) do
    if wanted(x) then kept[#kept + 1] = x end
  end
  return kept
end

-- filter_ended keeps the wanted ones of the ended sessions that are not in older.
local function filter_ended(m, wanted)
  local kept = filter(m[ENDED], wanted)
  kept.older, kept.dropped = m[ENDED].older, m[ENDED].dropped
  m[ENDED] = kept
end

local function remove(m, s)
  m[SESSIONS] = filter(m[SESSIONS], function(other) return other ~= s end)
end

local function remove_ended(m, name)
  filter_ended(m, function(e) return e[NAME] ~= name end)
  local place = find_older(m, name)
  if place then
    local older = m[ENDED].older
    set_older(m, older:sub(1, place - 1) .. older:sub(place + ENTRY))
  end
end

-- forget_ended removes the sessions that ended longer than FINALITY ago, and reports whether there
-- was any.
local function forget_ended(m)
  local count, older = #m[ENDED], m[ENDED].older or ''
  filter_ended(m, function(e) return not forgotten(e[AT]) end)
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

-- last_end returns when the newest of the ended sessions ended; 0 if there is none. Sessions are kept in
-- the order in which they ended, except those that one call of expire ended, at most 2 * MAX_SESSIONS.
local function last_end(m)
  local last, older = 0, m[ENDED].older or ''
  for _, e in ipairs(m[ENDED]) do last = math.max(last, e[AT]) end
  for from = math.max(1, #older - MAX_SESSIONS * ENTRY + 1), #older, ENTRY do
    local _, at = struct.unpack('>dd', older, from + 8)
    last = math.max(last, at)
  end
  return last
end

-- staying_count returns the number of sessions that are not leaving.
local function staying_count(m)
  return #filter(m[SESSIONS], function(s) return not s[LEAVING] end)
end

local function sorted(sections)
  if #sections < 2 then return sections end
  table.sort(sections)
  local once = {}
  for i, section in ipairs(sections) do
    if section ~= sections[i - 1] then once[#once + 1] = section end
  end
  return once
end

-- aggregate returns the occupant of all sessions (rule 3) as a string, without last_seen, so that
-- equal strings look the same to others (Occupant.sameVisible); '' if there is no session.
local function aggregate(m)
  if #m[SESSIONS] == 0 then return '' end
  local primary, sections, editing, unsaved, waiting = m[SESSIONS][1], {}, {}, {}, nil
  for _, s in ipairs(m[SESSIONS]) do
    if outranks(s, primary) then primary = s end
    if s[SECTION] ~= '' then sections[#sections + 1] = s[SECTION] end
    if s[ACTIVITY] == 'editing' then editing[#editing + 1] = s[SECTION] end
    if s[UNSAVED] then unsaved[#unsaved + 1] = s[SECTION] end
    if s[WAITING_FOR] ~= '' and (not waiting or s[TOUCHED] > waiting[TOUCHED]) then waiting = s end
  end
  return cmsgpack.pack({ m[NAME], m[VISITOR], m[SESSIONS][1][AVATAR], m[SESSIONS][1][AGENT], primary[SECTION], primary[ACTIVITY],
    sorted(sections), sorted(editing), sorted(unsaved), waiting and waiting[WAITING_FOR] or '' })
end
