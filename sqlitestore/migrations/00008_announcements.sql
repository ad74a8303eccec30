-- +goose Up

-- What the events of each project have told, so that a restart continues from there. version is 0 while there is more to
-- tell. state is written and read by the sender of events only.
CREATE TABLE writer_presence_announcements (
    project  TEXT    NOT NULL PRIMARY KEY,
    version  INTEGER NOT NULL,
    occupied INTEGER NOT NULL,
    state    BLOB    NOT NULL,
    checksum INTEGER NOT NULL
) WITHOUT ROWID;

-- +goose Down
DROP TABLE writer_presence_announcements;
