-- The rules of removals: removal.go, in functions of the same names and order.

-- Positions in a removal. The field removals has a list of them, sorted by version; REMOVED is '' for everybody.
local REMOVED, UNTIL, REMOVAL_VERSION, KEPT = 1, 2, 3, 4

-- read_removals returns the list.
local function read_removals()
  local got = dirty.removals
  if got == nil then got = call('HGET', key, 'removals') end
  return got and got ~= 0 and cmsgpack.unpack(got) or {}
end

-- removed decides until when a user's updates are rejected. It returns nil if they are not.
local function removed(user)
  local deadline = 0
  for _, r in ipairs(read_removals()) do
    if r[REMOVED] == '' or r[REMOVED] == user then deadline = math.max(deadline, r[UNTIL]) end
  end
  return deadline > now and deadline or nil
end

-- add_removal keeps a removal, at a new version. It replaces an older one of the same user. It returns false if too many
-- are in force. The field kept is until when the key must be kept; see commit.
local function add_removal(user, deadline)
  local removals, over, kept = {}, nil, 0
  for _, r in ipairs(read_removals()) do
    if r[REMOVED] ~= user and now <= r[KEPT] then
      removals[#removals + 1] = r
      if r[UNTIL] <= now then over = over or #removals end
    end
  end
  if user ~= '' and #removals >= MAX_REMOVALS then
    if not over then return false end
    table.remove(removals, over)
  end
  raise_version()
  removals[#removals + 1] = { user, deadline, roster.clock, math.max(deadline, now + REMOVAL_KEPT) }
  for _, r in ipairs(removals) do kept = math.max(kept, r[KEPT]) end
  dirty.removals, dirty.kept, keep_until = cmsgpack.pack(removals), string.format('%.0f', kept), nil
  return true
end
