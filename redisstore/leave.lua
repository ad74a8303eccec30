-- Roster.Leave. It adds to the answer: stale, and whether anything was written.

local function leave(m)
  local s = find(m, session)
  if broken then
    if not s or s[SEQ] ~= seq then return 1 end
    live_until(s, math.min(s[TILL], now + BROKEN_GRACE))
    changed(whose, m)
    return 0
  end
  if seq ~= 0 and seq <= newest(m, session) then return 1 end
  if not s and (seq == 0 or only_living) then return 0 end
  if not s then
    forget(m, session)
    remember(m, { session, seq, now })
  else
    s[SEQ] = math.max(s[SEQ], seq)
    if hidden then
      s[LEAVING] = true
      live_until(s, math.min(s[TILL], now + HIDDEN_GRACE))
    else
      local looked = look(m)
      finish(now, m, s)
      refold(m, looked)
    end
  end
  changed(whose, m)
  return 0
end

lapse()
local stale = leave(member or { name, visitor, {}, {} })
local wrote = next(dirty) and 1 or 0
save()
return answer(false, stale, wrote)
