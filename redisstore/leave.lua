-- Roster.Leave. ARGV: floor, user id, name, visitor, session, seq, hidden, broken,
-- only_living. It adds: stale.

local id, name, visitor = ARGV[2], ARGV[3], ARGV[4] == '1'
local session, seq = ARGV[5], tonumber(ARGV[6])
local hidden, broken, only_living = ARGV[7] == '1', ARGV[8] == '1', ARGV[9] == '1'

local function leave(m)
  local s = find(m, session)
  if broken then
    if not s or s.seq ~= seq then return 1 end
    live_until(s, math.min(s.till, now + BROKEN_GRACE))
    changed(id, m)
    return 0
  end
  if seq ~= 0 and seq <= newest(m, session) then return 1 end
  if not s and (seq == 0 or only_living) then return 0 end
  if not s then
    forget(m, session)
    remember(m, { name = session, seq = seq, at = now })
  else
    s.seq = math.max(s.seq, seq)
    if hidden then
      s.leaving = true
      live_until(s, math.min(s.till, now + HIDDEN_GRACE))
    else
      local looked = look(m)
      finish(now, m, s)
      refold(m, looked)
    end
  end
  changed(id, m)
  return 0
end

read(id)
lapse()
local stale = leave(members[id] or { name = name, visitor = visitor, sessions = {}, ended = {} })
save()
return answer(false, stale)
