-- Roster.Snapshot. ARGV: floor, have. Whoever has this version already gets no more.

read()
lapse()
save()
return answer(tonumber(ARGV[2]) ~= roster.version)
