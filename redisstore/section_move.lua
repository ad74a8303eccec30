-- Roster.Move: section_move.go, in functions of the same names and order, after those in moved.lua. It adds to the
-- answer: the clock if the section was moved, otherwise 0; and whether a path would be too long.

-- read_all returns all members, by field, and all saves, by section, as they are after expire.
local function read_all()
  local members, saves, all = {}, {}, call('HGETALL', key)
  for i = 1, #all, 2 do
    local field = all[i]
    if field:sub(1, 1) == 'u' then
      members[field] = dirty[field] or complete(cmsgpack.unpack(all[i + 1]))
    elseif field:sub(1, 1) == 's' then
      saves[field:sub(2)] = find_save(field:sub(2)) or nil
    end
  end
  return members, saves
end

-- is_empty is what Roster.Forget returns.
local function is_empty(members, saves)
  for _, m in pairs(members) do
    if #m[SESSIONS] > 0 or not forgotten(last_end(m)) then return false end
  end
  return not next(saves) and not next(moves)
end

-- all_fit reports whether no path would be too long after the move.
local function all_fit(members, saves)
  local function fits(section) return not concerns(move, section) or apply(move, section) ~= section end
  for _, m in pairs(members) do
    for _, s in ipairs(m[SESSIONS]) do
      if not fits(s[SECTION]) or not fits(s[WAITING_FOR]) then return false end
    end
  end
  for section in pairs(saves) do
    if not fits(section) then return false end
  end
  return true
end

-- move_sections moves the sections of a session, and reports whether it is in one of them. If it then claims the section
-- that it waits for, it waits no more (rule 20).
local function move_sections(s)
  local section, waiting_for = apply(move, s[SECTION]), apply(move, s[WAITING_FOR])
  if section == s[SECTION] and waiting_for == s[WAITING_FOR] then return false end
  place(s, section, s[ACTIVITY], s[UNSAVED])
  s[WAITING_FOR] = claims(s, waiting_for) and '' or waiting_for
  return true
end

-- move_saves moves the saves, which keep their times.
local function move_saves(saves)
  local moved, growth = {}, 0
  for section, s in pairs(saves) do
    if concerns(move, section) then moved[section], dirty['s' .. section], growth = s, 0, growth - 1 end
  end
  for section, s in pairs(moved) do
    local to = apply(move, section)
    local found = find_save(to)
    if not found or found[SAVED_AT] <= s[SAVED_AT] then
      dirty['s' .. to] = cmsgpack.pack(s)
      if not found then growth = growth + 1 end
    end
  end
  if next(moved) then
    dirty.oldest = 0 -- it names sections
    saves_changed(growth)
  end
end

-- add_move keeps the move. Beyond MAX_MOVES it drops the oldest.
local function add_move()
  moves[#moves + 1] = move
  if #moves > MAX_MOVES then table.remove(moves, 1) end
  dirty.moves = cmsgpack.pack(moves)
  roster.version = roster.clock
end

expire_saves(expire())
moves = filter(moves or {}, function(m) return not is_old(m) end)
local too_long, changed = 0, false
local members, saves = read_all()
if move[FROM] ~= move[TO] and not is_empty(members, saves) then
  if all_fit(members, saves) then
    tick(now)
    move[VERSION] = roster.clock
    for field, m in pairs(members) do
      local before, is_moved = aggregate(m), false
      for _, s in ipairs(m[SESSIONS]) do is_moved = move_sections(s) or is_moved end
      if is_moved then
        set_dirty(field, m)
        reaggregate(m, before)
      end
    end
    move_saves(saves)
    add_move()
    changed = true
  else
    too_long = 1
  end
end
commit()
return answer(false, changed and roster.clock or 0, too_long)
