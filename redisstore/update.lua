-- Roster.Update. It adds to the answer: the sender, packed, whether others are editing the
-- section, stale, what was refused, and the clock if it said something new, otherwise 0.

local have = tonumber(ARGV[2])
local careful, only_renew = bit.band(flags, 2) ~= 0, bit.band(flags, 4) ~= 0

-- decide is rule 6: what is recorded for what an update says.
local function decide(m, s)
  if section == '' and activity ~= 'idle' then return 'viewing' end
  if activity ~= '' and activity ~= 'editing' then return activity end
  if not careful or s and edits(s, section) or not occupied(m, section) then return 'editing' end
  return 'viewing'
end

local function update(m)
  local s, newest = find(m, session), newest(m, session)
  if seq ~= 0 and not s and has_dropped(m) and not ended(m, session) then return 'changes', 0, false end
  if seq ~= 0 and seq <= newest then return '', 1, false end
  local recorded = decide(m, s)
  local differs = not s or s[LEAVING] or s[SECTION] ~= section or s[ACTIVITY] ~= recorded or m[NAME] ~= name or m[VISITOR] ~= visitor
  if not s and staying(m) >= MAX_SESSIONS then return 'sessions', 0, false end
  if differs and only_renew then return 'changes', 0, false end

  local looked = differs and look(m)
  if not s then
    s = { session, newest, '', '', now, now, 0, false, connection }
    forget(m, session)
    if section ~= '' or #m[SESSIONS] >= 2 * MAX_SESSIONS then succeed(m) end
    m[SESSIONS][#m[SESSIONS] + 1] = s
  end
  s[SEQ] = math.max(s[SEQ], seq)
  s[LEAVING], s[CONNECTION] = false, connection
  s[SEEN] = now
  live_until(s, now + LEASE)
  if differs then
    tick(now)
    if recorded ~= 'idle' or s[TOUCHED] == 0 then s[TOUCHED] = roster.clock end
    place(s, section, recorded)
    m[NAME], m[VISITOR] = name, visitor
    refold(m, looked)
  end
  changed(whose, m)
  return '', 0, differs
end

lapse()
local m = member or { name, visitor, {}, {} }
local refused, stale, differs = update(m)
local taken = occupied(m, section)
save()
local wanted = taken or known and known ~= roster.version
return answer(wanted and have ~= roster.version, cmsgpack.pack(m), taken and 1 or 0, stale, refused, differs and roster.clock or 0)
