-- Roster.Snapshot. Whoever has this version already gets no more.

lapse()
save()
return answer(have ~= roster.version)
