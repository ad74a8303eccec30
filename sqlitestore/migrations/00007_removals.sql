-- +goose Up

-- Users who were removed from a project and may not come back yet; an empty user is everybody. until is in milliseconds
-- of Unix time.
CREATE TABLE writer_presence_removals (
    project  TEXT    NOT NULL,
    user     TEXT    NOT NULL,
    until    INTEGER NOT NULL,
    version  INTEGER NOT NULL,
    checksum INTEGER NOT NULL,
    PRIMARY KEY (project, user)
) WITHOUT ROWID;

-- +goose Down
DROP TABLE writer_presence_removals;
