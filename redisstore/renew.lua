-- Shortcut for updates that only renew a session, as nearly all do. It runs before member.lua and
-- roster.lua, because Redis creates their functions again for each call (ADR 12).
-- Conditions: nothing has expired or was lost, the session exists and states the same again, nobody
-- else claims the section, nothing was saved, and no list is wanted. All other updates go on to the
-- rules. So does one update of a project within each lease, when next_expiry is due; its commit keeps
-- the key alive.
do
  local m = loaded
  -- next_expiry can be further away than a lease if this one is shorter than others, or if Redis's clock went back.
  if version and m and m[NAME] == name and m[VISITOR] == visitor and now <= next_expiry and next_expiry <= now + lease and floor <= version and saved_section == '' then
    local stated, waits = activity, waiting_for
    if stated == '' then stated = section == '' and 'viewing' or 'editing' end
    if waits == section and (stated == 'editing' or unsaved) then waits = '' end
    local own, renewed = 0, nil
    for _, s in ipairs(m[SESSIONS]) do
      if s[SECTION] == section then
        if s[ACTIVITY] == 'editing' or s[UNSAVED] then own = own + 1 end
        if s[NAME] == session and s[ACTIVITY] == stated and not s[LEAVING] and (seq == 0 or seq > s[SEQ])
          and (s[UNSAVED] or false) == unsaved and (s[WAITING_FOR] or '') == waits and (s[AVATAR] or '') == avatar and (s[AGENT] or false) == agent then
          renewed = s
        end
      end
    end
    local occupied = claimants > own
    if renewed and not occupied and (not polls or known_version == version) then
      if seq ~= 0 then renewed[SEQ] = seq end
      renewed[LAST_SEEN], renewed[EXPIRES], renewed[CONNECTION] = now, now + lease, connection
      local packed = cmsgpack.pack(m)
      call('HSET', key, user_field, packed)
      return { now, partial and -version or version, next_expiry - now, false, packed }
    end
  end
end
