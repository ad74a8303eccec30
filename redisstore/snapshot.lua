-- Roster.Snapshot. The answer has no list if the node has this version already.

expire()
save()
return answer(cached_version ~= roster.version)
