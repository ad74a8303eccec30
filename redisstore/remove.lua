-- Roster.Remove: removal.go, in functions of the same names and order. It adds to the answer: whether too many removals
-- are in force, and the clock.

-- end_all ends all sessions of a member.
local function end_all(field, m)
  local before = aggregate(m)
  for _, s in ipairs(m[SESSIONS]) do end_session(now, m, s) end
  reaggregate(m, before)
  set_dirty(field, m)
end

-- remove_user returns whether the removal was kept; it is Roster.Remove.
local function remove_user()
  if not add_removal(user, deadline) then return false end
  if user ~= '' then
    local m = dirty[user_field] or loaded
    if m and #m[SESSIONS] > 0 then end_all(user_field, m) end
    return true
  end
  local all = call('HGETALL', key)
  for i = 1, #all, 2 do
    local field, kind = all[i], all[i]:sub(1, 1)
    if kind == 'u' then
      local m = dirty[field] or complete(cmsgpack.unpack(all[i + 1]))
      if #m[SESSIONS] > 0 then end_all(field, m) end
    elseif kind == 's' then
      dirty[field], dirty.count, dirty.oldest = 0, 0, 0
    end
  end
  if dirty.count == 0 then raise_version() end
  return true
end

expire_saves(expire())
local kept = remove_user()
commit()
return answer(false, kept and 0 or 1, roster.clock)
