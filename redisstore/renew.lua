-- Shortcut for updates that only renew a session, as nearly all do. It runs before member.lua and
-- roster.lua, because Redis creates their functions anew for each call (ADR 12).
-- Conditions: nothing has expired or was lost, the session exists and states the same again, nobody
-- else edits the section, and no list is wanted. All other updates go on to the rules. So does one
-- update of a project within each lease, when next_expiry is due; its save keeps the key alive.
do
  local m = loaded
  -- next_expiry can be further away than a lease only if Redis's clock went back.
  if version and m and m[NAME] == name and m[VISITOR] == visitor and now <= next_expiry and next_expiry <= now + LEASE and floor <= version then
    local stated = activity
    if stated == '' then stated = section == '' and 'viewing' or 'editing' end
    local own, renewed = 0, nil
    for _, s in ipairs(m[SESSIONS]) do
      if s[SECTION] == section then
        if s[ACTIVITY] == 'editing' then own = own + 1 end
        if s[NAME] == session and s[ACTIVITY] == stated and not s[LEAVING] and (seq == 0 or seq > s[SEQ]) then renewed = s end
      end
    end
    local occupied = editors > own
    if renewed and not occupied and (not known_version or known_version == version) then
      if seq ~= 0 then renewed[SEQ] = seq end
      renewed[LAST_SEEN], renewed[EXPIRES], renewed[CONNECTION] = now, now + LEASE, connection
      local packed = cmsgpack.pack(m)
      call('HSET', key, user_field, packed)
      return { now, partial and -version or version, next_expiry - now, false, packed }
    end
  end
end
