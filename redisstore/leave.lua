-- Roster.Leave: leave.go, in functions of the same names and order. It adds to the answer: stale,
-- and the clock if anything was written, otherwise 0.

-- ended_by is session.endedBy. A session that an older version wrote has no connection.
local function ended_by(s)
  local newest = s[CONNECTION] or 0
  if newest == 0 then return not broken end
  return newest == connection
end

-- leave returns stale.
local function leave(m)
  local s = find(m, session)
  if (broken or connection ~= 0) and not (s and ended_by(s)) then return 1 end
  if broken then
    set_expiry(s, math.min(s[EXPIRES], now + BROKEN_GRACE))
    set_dirty(user_field, m)
    return 0
  end
  local newest = newest_seq(m, session)
  local unknown = not s and not ended_seq(m, session)
  if seq ~= 0 and not unknown and seq <= newest then return 1 end
  local stale = not s and only_living and 1 or 0
  if not s and seq == 0 or unknown and only_living then return stale end
  if not s then
    remove_ended(m, session)
    add_ended(m, { session, math.max(seq, newest), now })
  else
    s[SEQ] = math.max(s[SEQ], seq)
    if hidden then
      s[LEAVING] = true
      set_expiry(s, math.min(s[EXPIRES], now + HIDDEN_GRACE))
    else
      local before = aggregate(m)
      end_session(now, m, s)
      reaggregate(m, before)
    end
  end
  set_dirty(user_field, m)
  return stale
end

expire()
local stale = leave(member())
local written = next(dirty) and roster.clock or 0
save()
return answer(false, stale, written)
