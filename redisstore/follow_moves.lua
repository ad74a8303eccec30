-- Roster.followMoves: the moves since the version that the page knows apply to the sections of its update (rule 23). It
-- runs only if there are moves, after moved.lua.
local stated = section
for _, m in ipairs(moves) do
  if m[VERSION] > known_version and not is_old(m) then
    section, waiting_for, saved_section = apply(m, section), apply(m, waiting_for), apply(m, saved_section)
  end
end
if section ~= stated then claimants = tonumber(call('HGET', key, 'e' .. section) or 0) end
