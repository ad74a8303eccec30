-- Roster.Update: update.go, in functions of the same names and order. It adds to the answer: the
-- member, packed; whether others claim the section; stale; the reason of a rejection ('sessions',
-- 'changes', 'removed', or ''); the clock if the update changed something, otherwise 0 (for 'removed', in how many
-- microseconds the user may come back); and the section after the moves that the page did not know.

local cached_version, user = tonumber(ARGV[2]), user_field:sub(2)
local unless_occupied, only_renew = bit.band(flags, 2) ~= 0, bit.band(flags, 4) ~= 0

-- occupied decides rule 5: whether users other than m claim the section.
local function occupied(m, section)
  local own = 0
  for _, s in ipairs(m[SESSIONS]) do
    if claims(s, section) then own = own + 1 end
  end
  return claims_of(section) > own
end

-- recorded_activity decides rule 6: which activity is recorded for an update.
local function recorded_activity(m, s)
  if section == '' and activity ~= 'idle' then return 'viewing' end
  if activity ~= '' and activity ~= 'editing' then return activity end
  if not unless_occupied or s and claims(s, section) or not occupied(m, section) then return 'editing' end
  return 'viewing'
end

-- recorded_wait decides rule 20: a session does not wait for a section that it claims itself.
local function recorded_wait(activity)
  if waiting_for == section and (activity == 'editing' or unsaved) then return '' end
  return waiting_for
end

-- add_session adds the session of an update to the member.
local function add_session(m, newest)
  local s = { session, newest, '', '', now, now, 0, false, connection, false, '', avatar, agent }
  remove_ended(m, session)
  if section ~= '' or #m[SESSIONS] >= 2 * MAX_SESSIONS then end_leaving(m) end
  m[SESSIONS][#m[SESSIONS] + 1] = s
  set_owner(user_field, s)
  return s
end

-- record_change records what an update states of its session, at a new clock.
local function record_change(m, s, before, recorded, waits, is_action)
  tick(now)
  if is_action and (recorded ~= 'idle' or s[TOUCHED] == 0) then s[TOUCHED] = roster.clock end
  place(s, section, recorded, unsaved)
  s[WAITING_FOR] = waits
  rename(m)
  reaggregate(m, before)
end

-- is_user reports whether the member is recorded as the user that the update states.
local function is_user(m, s) return m[NAME] == name and m[VISITOR] == visitor and s[AVATAR] == avatar and s[AGENT] == agent end

local back -- when a removed user may come back

-- update returns stale, the reason of a rejection, and changed.
local function update(m)
  local s, newest, from_field, from = find(m, session), newest_seq(m, session), nil, nil
  if not s then
    from_field, from, s = other_owner(session) -- whose session s was until now
    if from then newest = math.max(s[SEQ], ended_seq(m, session) or 0) end -- rule 8 holds for an end under this identity, too
  end
  local is_new = not s or from
  if is_new then -- a removal has ended all sessions of the user
    back = removed(user)
    if back then return 0, 'removed', false end
  end
  if seq ~= 0 and is_new and has_dropped(m) and not ended_seq(m, session) then return 0, 'changes', false end
  if seq ~= 0 and seq <= newest then return 1, '', false end
  if is_new and staying_count(m) >= MAX_SESSIONS then return 0, 'sessions', false end
  local before = from and aggregate(m)
  if from and not only_renew then move_session(s, from_field, from, m, seq) end
  local recorded = recorded_activity(m, s)
  local waits = recorded_wait(recorded)
  local is_action = is_new or s[LEAVING] or s[SECTION] ~= section or s[ACTIVITY] ~= recorded or not is_user(m, s)
  local new_save = is_new_save(saved_section, saved_revision, user)
  local changed = is_action or new_save or s[UNSAVED] ~= unsaved or s[WAITING_FOR] ~= waits
  if changed and only_renew then return 0, 'changes', false end

  before = before or changed and aggregate(m)
  s = s or add_session(m, newest)
  s[SEQ] = math.max(newest, seq)
  s[LEAVING], s[CONNECTION] = false, connection
  s[LAST_SEEN] = now
  set_expiry(s, now + lease)
  if changed then record_change(m, s, before, recorded, waits, is_action) end
  if new_save then add_save(saved_section, saved_revision, user) end
  set_dirty(user_field, m)
  return 0, '', changed
end

expire_saves(expire())
local m = member()
local stale, rejection, changed = update(m)
local conflicts = occupied(m, section)
commit()
local wanted = conflicts or polls and known_version ~= roster.version
return answer(wanted and cached_version ~= roster.version, packed(m), conflicts and 1 or 0, stale, rejection, back and back - now or changed and roster.clock or 0, section)
