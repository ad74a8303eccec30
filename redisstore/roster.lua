-- The rules of a roster: roster.go, in functions of the same names and order. commit and answer come
-- after them.

local roster = { version = version, clock = clock, next_expiry = next_expiry, partial = partial }
local counted = { [section] = claimants } -- sessions that claim a section, for the sections read so far
local dirty = {} -- the fields to write, with their values; 0 deletes
local owners -- the field of that name; nil until it is read
if loaded then complete(loaded) end

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

-- claims_of returns the number of sessions that claim a section: Roster.claims.
local function claims_of(section)
  if not counted[section] then counted[section] = tonumber(call('HGET', key, 'e' .. section) or 0) end
  return counted[section]
end

local function add_claims(section, by)
  counted[section] = claims_of(section) + by
  dirty['e' .. section] = counted[section]
end

-- place sets section and activity of a session, and whether it has unsaved changes there, and counts
-- the sessions that claim a section.
local function place(s, section, activity, unsaved)
  if claims(s, s[SECTION]) then add_claims(s[SECTION], -1) end
  s[SECTION], s[ACTIVITY], s[UNSAVED] = section, activity, unsaved
  if claims(s, s[SECTION]) then add_claims(s[SECTION], 1) end
end

local function set_expiry(s, expires)
  s[EXPIRES] = expires
  if roster.next_expiry == 0 or expires < roster.next_expiry then roster.next_expiry = expires end
end

-- find_owner returns where the line of a session in owners begins, nil if there is none.
local function find_owner(name)
  owners = owners or call('HGET', key, 'owners') or ''
  return owners:find('\n' .. digest(name), 1, true)
end

local function remove_owner(name)
  local from = #name >= UNGUESSABLE_NAME and find_owner(name)
  if not from then return end
  owners = owners:sub(1, from) .. owners:sub(owners:find('\n', from + 1, true) + 1)
  dirty.owners = #owners > 1 and owners or 0
end

-- end_session removes a session that ended at that time, and keeps its end.
local function end_session(at, m, s)
  tick(at)
  place(s, '', '', false)
  remove(m, s)
  remove_owner(s[NAME])
  add_ended(m, { s[NAME], s[SEQ], at })
end

-- set_dirty has commit write a member.
local function set_dirty(field, m)
  if field == user_field then loaded = m end
  dirty[field] = m
end

-- set_owner notes whose session it is, if nobody could guess its name.
local function set_owner(field, s)
  if #s[NAME] < UNGUESSABLE_NAME then return end
  remove_owner(s[NAME])
  owners = (owners == '' and '\n' or owners) .. digest(s[NAME]) .. field .. '\n'
  dirty.owners = owners
end

-- other_owner returns the living session with a name that nobody could guess, with its member and the
-- member's field, if that is not the user's. Whoever sends this name is the same page under another
-- identity (rule 7).
local function other_owner(name)
  if #name < UNGUESSABLE_NAME then return end
  local from = find_owner(name)
  if not from then return end
  local field = owners:sub(from + 9, owners:find('\n', from + 1, true) - 1)
  if field == user_field then return end
  local owner = dirty[field]
  if not owner then
    local got = call('HGET', key, field)
    owner = got and complete(cmsgpack.unpack(got))
  end
  local s = owner and find(owner, name) -- an older node ends sessions without removing the line
  if s then return field, owner, s end
end

-- end_leaving ends the sessions of a member that are leaving.
local function end_leaving(m)
  for _, s in ipairs(m[SESSIONS]) do
    if s[LEAVING] then end_session(now, m, s) end
  end
end

-- move_session gives a session to the user, whose identity its page has now (rule 7). The former
-- member keeps its end, so that no message up to seq takes the session back.
local function move_session(s, from_field, from, to, seq)
  if #to[SESSIONS] >= 2 * MAX_SESSIONS then end_leaving(to) end
  tick(now)
  local before = aggregate(from)
  remove(from, s)
  add_ended(from, { s[NAME], math.max(s[SEQ], seq), now })
  if aggregate(from) ~= before then roster.version = roster.clock end
  set_dirty(from_field, from)
  remove_ended(to, s[NAME])
  to[SESSIONS][#to[SESSIONS] + 1] = s
  set_owner(user_field, s)
end

-- rename replaces the user of a member: the user's name, and what else the update says of the user.
local function rename(m)
  m[NAME], m[VISITOR] = name, visitor
  for _, s in ipairs(m[SESSIONS]) do s[AVATAR], s[AGENT] = avatar, agent end
end

-- reaggregate sets the version to the clock if the occupant looks different from before, which is
-- what aggregate returned.
local function reaggregate(m, before)
  if aggregate(m) ~= before then roster.version = roster.clock end
end

-- add_owner notes the member of a session by the digest of its name. Nodes without rule 7 left a session
-- under each identity of its page; of these, only the one touched last has an owner.
local function add_owner(newest, field, s)
  local name = digest(s[NAME])
  if not newest[name] or s[TOUCHED] > newest[name].touched then newest[name] = { field = field, touched = s[TOUCHED] } end
end

-- count_again corrects the counts of claims and the owners of sessions, from all living sessions. Nodes
-- that are older than unsaved changes count only sessions that edit, and write no owners.
local function count_again(all, claimed, newest)
  local stored, stored_owners = {}, ''
  for i = 1, #all, 2 do
    if all[i]:sub(1, 1) == 'e' then
      local section = all[i]:sub(2)
      stored[section], claimed[section] = tonumber(all[i + 1]), claimed[section] or 0
    elseif all[i] == 'owners' then
      stored_owners = all[i + 1]
    end
  end
  for section in pairs(counted) do claimed[section] = claimed[section] or 0 end
  for section, n in pairs(claimed) do
    counted[section], dirty['e' .. section] = n, nil
    if n ~= (stored[section] or 0) then dirty['e' .. section] = n end
  end
  local lines = {}
  for name, owner in pairs(newest) do lines[#lines + 1] = name .. owner.field .. '\n' end
  owners = #lines > 0 and '\n' .. table.concat(lines) or ''
  if owners ~= stored_owners then dirty.owners = owners ~= '' and owners or 0 end
end

-- expire ends the sessions whose lease or grace is over. If there may be one, it reads all members; it
-- then also forgets ended sessions as Roster.Forget does, and ends the time in which people may be
-- missing. If nobody is online, it returns all fields and when the last session ended.
local function expire()
  if roster.next_expiry == 0 or now <= roster.next_expiry then return end
  roster.next_expiry = 0
  local lost = dirty.lost
  local all, claimed, newest = call('HGETALL', key), {}, {}
  local online, last = false, 0
  owners = '' -- made again below
  for i = 1, #all, 2 do
    if all[i] == 'lost' then
      lost = lost or tonumber(all[i + 1])
    elseif all[i] == 'kept' and now > tonumber(all[i + 1]) then
      dirty.removals, dirty.kept = 0, 0 -- all removals are over
    elseif all[i]:sub(1, 1) == 'u' then
      local field, m = all[i], complete(cmsgpack.unpack(all[i + 1]))
      local living, before = #m[SESSIONS], aggregate(m)
      for _, s in ipairs(m[SESSIONS]) do
        if now > s[EXPIRES] then
          end_session(s[EXPIRES], m, s)
        else
          set_expiry(s, s[EXPIRES])
          online = true
          if claims(s, s[SECTION]) then claimed[s[SECTION]] = (claimed[s[SECTION]] or 0) + 1 end
          if #s[NAME] >= UNGUESSABLE_NAME then add_owner(newest, field, s) end
        end
      end
      if #m[SESSIONS] < living then
        tick(now)
        reaggregate(m, before)
      end
      if forget_ended(m) or #m[SESSIONS] < living then set_dirty(field, m) end
      if #m[SESSIONS] == 0 then last = math.max(last, last_end(m)) end
    end
  end
  count_again(all, claimed, newest)
  if lost and now > lost then
    roster.partial, dirty.lost = false, 0
    raise_version()
  elseif lost and (roster.next_expiry == 0 or lost < roster.next_expiry) then
    roster.next_expiry = lost
  end
  if not online then return all, last end
end

-- write calls a command with as many of the arguments at a time as Lua can pass.
local function write(command, arguments)
  for i = 1, #arguments, 1000 do
    call(command, key, unpack(arguments, i, math.min(i + 999, #arguments)))
  end
end

-- commit writes what has changed, keeps the key until all ended sessions can be forgotten, and wakes
-- the nodes after a visible change or if a session expires sooner than they know.
local function commit()
  local moved = roster.version ~= version
  if not next(dirty) and not (version and (moved or roster.next_expiry ~= next_expiry)) then return end -- nothing changed, or a project that was never there
  local sooner = version and roster.next_expiry > 0 and roster.next_expiry < next_expiry -- a leave with a grace
  if roster.next_expiry == 0 then roster.next_expiry = now + FINALITY end -- nobody is online, and there are no saves, but ended sessions
  local set, del = {}, {}
  for field, value in pairs(dirty) do
    if value == 0 or type(value) == 'table' and #value[SESSIONS] == 0 and not next(value[ENDED]) then
      del[#del + 1] = field
    else
      set[#set + 1], set[#set + 2] = field, type(value) == 'table' and packed(value) or value
    end
  end
  local spare = FINALITY + 2 * LEASE -- renewals reach commit only once within a lease
  local stale = not keep_until or now > keep_until
  if stale then keep_until = now + spare end
  if stale or moved or roster.clock ~= clock or roster.next_expiry ~= next_expiry then
    set[#set + 1], set[#set + 2] = 'roster', struct.pack(ROSTER, roster.version, roster.clock, roster.next_expiry, roster.partial and -keep_until or keep_until)
  end
  write('HSET', set)
  write('HDEL', del)
  if stale then
    local kept = tonumber(call('HGET', key, 'kept') or 0) -- removals may be in force for longer than ended sessions are kept
    call('PEXPIRE', key, milliseconds(2 * spare + math.max(0, kept - now)))
  end
  if moved or sooner then call(PUBLISH, key, string.format('%.0f %.0f', roster.version, roster.next_expiry - now)) end
end

-- answer returns what every script returns: the time; the version, negative while people may be
-- missing; the time until next_expiry, -1 if there is no roster; all fields of the hash, or false;
-- and what the operation adds.
local function answer(with_all, ...)
  return { now, roster.partial and -roster.version or roster.version, roster.next_expiry > 0 and roster.next_expiry - now or -1, with_all and call('HGETALL', key), ... }
end
