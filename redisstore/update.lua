-- Roster.Update. ARGV: floor, have, user id, name, visitor, session, seq, section, activity,
-- unless_occupied, only_renew, poll, known. It adds: what was refused, stale, the activity
-- that is recorded, whether others are editing the section, and the sender, packed.

local have = tonumber(ARGV[2])
local id, name, visitor = ARGV[3], ARGV[4], ARGV[5] == '1'
local session, seq, section, activity = ARGV[6], tonumber(ARGV[7]), ARGV[8], ARGV[9]
local careful, only_renew, poll, known = ARGV[10] == '1', ARGV[11] == '1', ARGV[12] == '1', tonumber(ARGV[13])

-- decide is rule 6: what is recorded for what an update says.
local function decide(m, s)
  if section == '' and activity ~= 'idle' then return 'viewing' end
  if activity ~= '' and activity ~= 'editing' then return activity end
  if not careful or s and edits(s, section) or not occupied(m, section) then return 'editing' end
  return 'viewing'
end

local function update(m)
  local s, newest = find(m, session), newest(m, session)
  if seq ~= 0 and seq <= newest then return '', 1, s end
  local recorded = decide(m, s)
  local differs = not s or s.leaving or s.section ~= section or s.activity ~= recorded or m.name ~= name or m.visitor ~= visitor
  if not s and staying(m) >= MAX_SESSIONS then return 'sessions', 0, s end
  if differs and only_renew then return 'changes', 0, s end

  local looked = differs and look(m)
  if not s then
    s = { name = session, seq = newest, section = '', activity = '', touched = 0 }
    forget(m, session)
    if section ~= '' or #m.sessions >= 2 * MAX_SESSIONS then succeed(m) end
    m.sessions[#m.sessions + 1] = s
  end
  s.seq = math.max(s.seq, seq)
  s.leaving = nil
  s.seen = now
  live_until(s, now + LEASE)
  if differs then
    tick(now)
    if recorded ~= 'idle' or s.touched == 0 then s.touched = roster.clock end
    place(s, section, recorded)
    m.name, m.visitor = name, visitor
    refold(m, looked)
  end
  changed(id, m)
  return '', 0, s
end

read(id, section)
lapse()
local m = members[id] or { name = name, visitor = visitor, sessions = {}, ended = {} }
local refused, stale, s = update(m)
local taken = occupied(m, section)
save()
local wanted = taken or poll and known ~= roster.version
return answer(wanted and have ~= roster.version, refused, stale, s and s.activity or '', taken and 1 or 0, cmsgpack.pack(m))
