-- The rules of saves: save.go, in functions of the same names and order.

-- find_save returns the save of a section, nil if there is none.
local function find_save(section)
  local got = dirty['s' .. section]
  if got == nil then got = call('HGET', key, 's' .. section) end
  return got and got ~= 0 and cmsgpack.unpack(got)
end

-- is_new_save reports whether an update reports a save that is not the newest of its section already.
local function is_new_save(section, revision, user)
  if section == '' then return false end
  local found = find_save(section)
  return not found or found[REVISION] ~= revision or found[SAVED_BY] ~= user
end

-- saves_changed sets the version after a change of the saves; growth is how many more there are now.
local function saves_changed(growth)
  if growth ~= 0 then dirty.count = (dirty.count or tonumber(call('HGET', key, 'count') or 0)) + growth end
  roster.version = roster.clock
end

-- oldest_saves returns the 100 oldest saves in Redis, each as its section and SAVED_AT, oldest first.
local function oldest_saves()
  local all, saves = call('HGETALL', key), {}
  for i = 1, #all, 2 do
    if all[i]:sub(1, 1) == 's' then saves[#saves + 1] = { all[i]:sub(2), cmsgpack.unpack(all[i + 1])[SAVED_AT] } end
  end
  table.sort(saves, function(a, b)
    if a[2] ~= b[2] then return a[2] < b[2] end
    return a[1] < b[1]
  end)
  for i = #saves, 101, -1 do saves[i] = nil end
  return saves
end

-- drop_oldest drops the oldest save. Finding it takes a scan, which costs milliseconds, so the field
-- oldest keeps the next ones. Those that were saved again since then are skipped.
local function drop_oldest()
  local got = call('HGET', key, 'oldest')
  local saves = got and cmsgpack.unpack(got) or {}
  local dropped
  repeat
    if #saves == 0 then saves = oldest_saves() end
    local first = table.remove(saves, 1)
    local found = first and find_save(first[1])
    if found and found[SAVED_AT] == first[2] then dropped, dirty['s' .. first[1]] = true, 0 end
  until dropped or not first
  dirty.oldest = #saves > 0 and cmsgpack.pack(saves) or 0
  if dropped then saves_changed(-1) end
end

-- add_save keeps the newest save of a section (rule 19) at a new version. Beyond MAX_SAVES it drops the
-- oldest.
local function add_save(section, revision, user)
  local more = find_save(section) and 0 or 1
  dirty['s' .. section] = cmsgpack.pack({ revision, user, name, now })
  saves_changed(more)
  if more > 0 and dirty.count > MAX_SAVES then drop_oldest() end
end

-- save records a save for the host, on behalf of a user who need not be online: Roster.Save. It returns whether it is
-- not the newest of its section already.
local function save(section, revision, user)
  if not is_new_save(section, revision, user) then return false end
  tick(now)
  add_save(section, revision, user)
  return true
end

-- expire_saves drops the saves that are older than FINALITY once nobody was in the project for that long.
-- Its arguments are what expire returned: there are none unless nobody is online. If it keeps a save, it
-- keeps the key for longer than a node expects; see observation in project_cache.go.
local function expire_saves(all, last)
  if not all then return end
  local dropped = 0
  for i = 1, #all, 2 do
    if all[i]:sub(1, 1) == 's' then
      local at = math.max(last, cmsgpack.unpack(all[i + 1])[SAVED_AT])
      if forgotten(at) then
        dropped, dirty[all[i]] = dropped + 1, 0
      else
        keep_until = nil
        if roster.next_expiry == 0 or at + FINALITY < roster.next_expiry then roster.next_expiry = at + FINALITY end
      end
    end
  end
  if dropped > 0 then
    tick(now)
    dirty.oldest = 0
    saves_changed(-dropped)
  end
end
