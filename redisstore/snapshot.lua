-- Roster.Snapshot. The answer has no list if the node has this version already.

expire_saves(expire())
commit()
return answer(cached_version ~= roster.version)
