-- Roster.Leave: leave.go, in functions of the same names and order. It adds to the answer: stale,
-- and the clock if anything was written, otherwise 0.

-- ended_by is session.endedBy.
local function ended_by(s)
  if s[CONNECTION] == 0 then return not broken end
  return s[CONNECTION] == connection
end

-- keep_end records the end of a session that the member does not have, so that no older message
-- creates it.
local function keep_end(m, seq)
  if seq == 0 then return end
  remove_ended(m, session)
  add_ended(m, { session, seq, now })
  set_dirty(user_field, m)
end

-- leave returns stale.
local function leave(m)
  local s, field = find(m, session), user_field
  if not s and connection == 0 and not broken then
    local owner_field, owner, other = other_owner(session)
    if other and (seq == 0 or seq > math.max(other[SEQ], ended_seq(m, session) or 0)) then
      keep_end(m, seq)
      m, s, field = owner, other, owner_field
    end
  end
  if (broken or connection ~= 0) and not (s and ended_by(s)) then return 1 end
  if broken then
    set_expiry(s, math.min(s[EXPIRES], now + BROKEN_GRACE))
    set_dirty(field, m)
    return 0
  end
  local newest = newest_seq(m, session)
  local unknown = not s and not ended_seq(m, session)
  if seq ~= 0 and not unknown and seq <= newest then return 1 end
  local stale = not s and only_living and 1 or 0
  if not s and seq == 0 or unknown and only_living then return stale end
  if not s then
    keep_end(m, math.max(seq, newest))
    return stale
  end
  s[SEQ] = math.max(s[SEQ], seq)
  if hidden then
    s[LEAVING] = true
    set_expiry(s, math.min(s[EXPIRES], now + HIDDEN_GRACE))
  else
    local before = aggregate(m)
    end_session(now, m, s)
    reaggregate(m, before)
  end
  set_dirty(field, m)
  return stale
end

expire_saves(expire())
local stale = leave(member())
local written = next(dirty) and roster.clock or 0
commit()
return answer(false, stale, written)
