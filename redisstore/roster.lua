-- The rules of a roster: roster.go, in functions of the same names and order. save and answer come
-- after them.

local roster = { version = version, clock = clock, next_expiry = next_expiry, partial = partial }
local editing = { [section] = editors } -- sessions that edit a section, for the sections read so far
local dirty = {} -- the fields to write, with their values; 0 deletes

-- member returns the member of the user, or a new one that the roster does not hold yet.
local function member() return loaded or { name, visitor, {}, {} } end

local function milliseconds(moment) return math.floor(moment / 1000) end

-- tick advances the clock, for an event at that time.
local function tick(at) roster.clock = math.max(roster.clock + 1, milliseconds(at)) end

-- raise_version raises the version for a change that is not of a session.
local function raise_version()
  tick(now)
  roster.version = roster.clock
end

-- If the roster is older than a version that a node has returned, or is missing although the node
-- saw it recently, Redis lost data: the version is raised, and the list is partial for a heartbeat.
-- If the roster is missing otherwise, its version is the last multiple of FINALITY in Redis's time.
-- That is the same on all nodes, and above all former versions, since ended sessions keep a roster
-- in Redis for as long.
if not version and floor > 0 and not may_be_missing or version and version < floor then
  roster.clock, roster.next_expiry = math.max(clock or 0, floor), roster.next_expiry or 0
  raise_version()
  roster.partial, dirty.lost = true, now + HEARTBEAT
  if roster.next_expiry == 0 or dirty.lost < roster.next_expiry then roster.next_expiry = dirty.lost end
elseif not version then
  roster.version = math.max(milliseconds(now - now % FINALITY), floor)
  roster.clock, roster.next_expiry = roster.version, 0
end

-- editors_of returns the number of sessions that edit a section: Roster.editing.
local function editors_of(section)
  if not editing[section] then editing[section] = tonumber(call('HGET', key, 'e' .. section) or 0) end
  return editing[section]
end

local function add_editors(section, by)
  editing[section] = editors_of(section) + by
  dirty['e' .. section] = editing[section]
end

-- place sets section and activity of a session and counts the sessions that edit.
local function place(s, section, activity)
  if s[ACTIVITY] == 'editing' then add_editors(s[SECTION], -1) end
  s[SECTION], s[ACTIVITY] = section, activity
  if s[ACTIVITY] == 'editing' then add_editors(s[SECTION], 1) end
end

local function set_expiry(s, expires)
  s[EXPIRES] = expires
  if roster.next_expiry == 0 or expires < roster.next_expiry then roster.next_expiry = expires end
end

-- end_session removes a session that ended at that time, and keeps its end.
local function end_session(at, m, s)
  tick(at)
  place(s, '', '')
  m[SESSIONS] = filter(m[SESSIONS], function(other) return other ~= s end)
  add_ended(m, { s[NAME], s[SEQ], at })
end

-- end_leaving ends the sessions of a member that are leaving.
local function end_leaving(m)
  for _, s in ipairs(m[SESSIONS]) do
    if s[LEAVING] then end_session(now, m, s) end
  end
end

-- reaggregate sets the version to the clock if the occupant looks different from before, which is
-- what aggregate returned.
local function reaggregate(m, before)
  if aggregate(m) ~= before then roster.version = roster.clock end
end

-- set_dirty has save write a member.
local function set_dirty(field, m)
  if field == user_field then loaded = m end
  dirty[field] = m
end

-- expire ends the sessions whose lease or grace is over. If there may be one, it reads all members; it
-- then also forgets ended sessions as Roster.Forget does, and ends the time in which people may be
-- missing.
local function expire()
  if roster.next_expiry == 0 or now <= roster.next_expiry then return end
  roster.next_expiry = 0
  local lost = dirty.lost
  local all = call('HGETALL', key)
  for i = 1, #all, 2 do
    if all[i] == 'lost' then
      lost = lost or tonumber(all[i + 1])
    elseif all[i]:sub(1, 1) == 'u' then
      local field, m = all[i], cmsgpack.unpack(all[i + 1])
      local living, before = #m[SESSIONS], aggregate(m)
      for _, s in ipairs(m[SESSIONS]) do
        if now > s[EXPIRES] then end_session(s[EXPIRES], m, s) else set_expiry(s, s[EXPIRES]) end
      end
      if #m[SESSIONS] < living then
        tick(now)
        reaggregate(m, before)
      end
      if forget_ended(m) or #m[SESSIONS] < living then set_dirty(field, m) end
    end
  end
  if lost and now > lost then
    roster.partial, dirty.lost = false, 0
    raise_version()
  elseif lost and (roster.next_expiry == 0 or lost < roster.next_expiry) then
    roster.next_expiry = lost
  end
end

-- write calls a command with as many of the arguments at a time as Lua can pass.
local function write(command, arguments)
  for i = 1, #arguments, 1000 do
    call(command, key, unpack(arguments, i, math.min(i + 999, #arguments)))
  end
end

-- save writes what has changed, keeps the key until all ended sessions can be forgotten, and wakes
-- the nodes after a visible change or if a session expires sooner than they know.
local function save()
  local moved = roster.version ~= version
  if not next(dirty) and not (version and (moved or roster.next_expiry ~= next_expiry)) then return end -- or there is nothing to keep
  local sooner = version and roster.next_expiry > 0 and roster.next_expiry < next_expiry -- a leave with a grace
  if roster.next_expiry == 0 then roster.next_expiry = now + FINALITY end -- nobody is online, but there are ended sessions
  local set, del = {}, {}
  for field, value in pairs(dirty) do
    if value == 0 or type(value) == 'table' and #value[SESSIONS] == 0 and not next(value[ENDED]) then
      del[#del + 1] = field
    else
      set[#set + 1], set[#set + 2] = field, type(value) == 'table' and cmsgpack.pack(value) or value
    end
  end
  local spare = FINALITY + 2 * LEASE -- renewals reach save only once within a lease
  local stale = not keep_until or now > keep_until
  if stale then keep_until = now + spare end
  if stale or moved or roster.clock ~= clock or roster.next_expiry ~= next_expiry then
    set[#set + 1], set[#set + 2] = 'roster', struct.pack(ROSTER, roster.version, roster.clock, roster.next_expiry, roster.partial and -keep_until or keep_until)
  end
  write('HSET', set)
  write('HDEL', del)
  if stale then call('PEXPIRE', key, milliseconds(2 * spare)) end
  if moved or sooner then call(PUBLISH, key, string.format('%.0f %.0f', roster.version, roster.next_expiry - now)) end
end

-- answer returns what every script returns: the time; the version, negative while people may be
-- missing; the time until next_expiry, -1 if there is no roster; all fields of the hash, or false;
-- and what the operation adds.
local function answer(with_all, ...)
  return { now, roster.partial and -roster.version or roster.version, roster.next_expiry > 0 and roster.next_expiry - now or -1, with_all and call('HGETALL', key), ... }
end
