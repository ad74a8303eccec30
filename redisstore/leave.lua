-- Roster.Leave. It adds to the answer: stale, and the clock if anything was written, otherwise 0.

-- ends_with is session.endsWith. A session of an older node has no connection.
local function ends_with(s)
  local newest = s[CONNECTION] or 0
  if newest == 0 then return not broken end
  return newest == connection
end

local function leave(m)
  local s = find(m, session)
  if (broken or connection ~= 0) and not (s and ends_with(s)) then return 1 end
  if broken then
    live_until(s, math.min(s[TILL], now + BROKEN_GRACE))
    changed(whose, m)
    return 0
  end
  local newest = newest(m, session)
  local unknown = not s and not ended(m, session)
  local nothing_ended = not s and only_living and 1 or 0
  if seq ~= 0 and not unknown and seq <= newest then return 1 end
  if not s and seq == 0 or unknown and only_living then return nothing_ended end
  if not s then
    forget(m, session)
    remember(m, { session, math.max(seq, newest), now })
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
  return nothing_ended
end

lapse()
local stale = leave(member or { name, visitor, {}, {} })
local written = next(dirty) and roster.clock or 0
save()
return answer(false, stale, written)
