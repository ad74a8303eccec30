-- Nearly all updates renew a session and change nothing else. These are answered here, as
-- update.lua would, before there are any rules: to make those takes Redis as long again.
-- The key is kept alive by the rules, which have their turn within a lease, when it is time
-- to look for what lapses. Where that is further away than a lease, the clock went back.
do
  local m = member
  if version and m and m[NAME] == name and m[VISITOR] == visitor and now <= next_lapse and next_lapse <= now + LEASE and floor <= version then
    local said = activity
    if said == '' then said = section == '' and 'viewing' or 'editing' end
    local own, renewed = 0, nil
    for _, s in ipairs(m[SESSIONS]) do
      if s[SECTION] == section then
        if s[ACTIVITY] == 'editing' then own = own + 1 end
        if s[NAME] == session and s[ACTIVITY] == said and not s[LEAVING] and (seq == 0 or seq > s[SEQ]) then renewed = s end
      end
    end
    local taken = edited > own
    if renewed and not taken and (not known or known == version) then
      if seq ~= 0 then renewed[SEQ] = seq end
      renewed[SEEN], renewed[TILL], renewed[CONNECTION] = now, now + LEASE, connection
      local packed = cmsgpack.pack(m)
      call('HSET', key, whose, packed)
      return { now, partial and -version or version, next_lapse - now, false, packed }
    end
  end
end
