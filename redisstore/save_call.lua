-- Roster.Save: save in save.lua. It adds to the answer: the clock if the save is new, otherwise 0.

expire_saves(expire())
local changed = save(saved_section, saved_revision, user)
commit()
return answer(false, changed and roster.clock or 0)
