-- Roster.Update: update.go, in functions of the same names and order. It adds to the answer: the
-- member, packed; whether others edit the section; stale; the reason of a rejection ('sessions',
-- 'changes', or ''); and the clock if the update changed something, otherwise 0.

local cached_version = tonumber(ARGV[2])
local unless_occupied, only_renew = bit.band(flags, 2) ~= 0, bit.band(flags, 4) ~= 0

-- occupied decides rule 5: whether users other than m are editing the section.
local function occupied(m, section)
  local own = 0
  for _, s in ipairs(m[SESSIONS]) do
    if edits(s, section) then own = own + 1 end
  end
  return editors_of(section) > own
end

-- recorded_activity decides rule 6: which activity is recorded for an update.
local function recorded_activity(m, s)
  if section == '' and activity ~= 'idle' then return 'viewing' end
  if activity ~= '' and activity ~= 'editing' then return activity end
  if not unless_occupied or s and edits(s, section) or not occupied(m, section) then return 'editing' end
  return 'viewing'
end

-- update returns stale, the reason of a rejection, and changed.
local function update(m)
  local s, newest = find(m, session), newest_seq(m, session)
  if seq ~= 0 and not s and has_dropped(m) and not ended_seq(m, session) then return 0, 'changes', false end
  if seq ~= 0 and seq <= newest then return 1, '', false end
  local recorded = recorded_activity(m, s)
  local changed = not s or s[LEAVING] or s[SECTION] ~= section or s[ACTIVITY] ~= recorded or m[NAME] ~= name or m[VISITOR] ~= visitor
  if not s and staying_count(m) >= MAX_SESSIONS then return 0, 'sessions', false end
  if changed and only_renew then return 0, 'changes', false end

  local before = changed and aggregate(m)
  if not s then
    s = { session, newest, '', '', now, now, 0, false, connection }
    remove_ended(m, session)
    if section ~= '' or #m[SESSIONS] >= 2 * MAX_SESSIONS then end_leaving(m) end
    m[SESSIONS][#m[SESSIONS] + 1] = s
  end
  s[SEQ] = math.max(s[SEQ], seq)
  s[LEAVING], s[CONNECTION] = false, connection
  s[LAST_SEEN] = now
  set_expiry(s, now + LEASE)
  if changed then
    tick(now)
    if recorded ~= 'idle' or s[TOUCHED] == 0 then s[TOUCHED] = roster.clock end
    place(s, section, recorded)
    m[NAME], m[VISITOR] = name, visitor
    reaggregate(m, before)
  end
  set_dirty(user_field, m)
  return 0, '', changed
end

expire()
local m = member()
local stale, rejection, changed = update(m)
local conflicts = occupied(m, section)
save()
local wanted = conflicts or known_version and known_version ~= roster.version
return answer(wanted and cached_version ~= roster.version, cmsgpack.pack(m), conflicts and 1 or 0, stale, rejection, changed and roster.clock or 0)
