-- +goose Up

-- The note's model, with a row for each session (tab) in place of one for each user.
-- last_seen is in milliseconds of Unix time; for a session that has ended, its end.
-- A row that is not active keeps older messages from bringing its session back.
CREATE TABLE writer_presence (
    project         TEXT    NOT NULL,
    user            TEXT    NOT NULL,
    session         TEXT    NOT NULL,
    username        TEXT    NOT NULL,
    visitor         INTEGER NOT NULL,
    current_section TEXT    NOT NULL,
    activity        TEXT    NOT NULL,
    seq             INTEGER NOT NULL,
    touched         INTEGER NOT NULL,
    last_seen       INTEGER NOT NULL,
    is_active       INTEGER NOT NULL,
    PRIMARY KEY (project, user, session)
) WITHOUT ROWID;

CREATE INDEX writer_presence_living ON writer_presence (project, is_active, last_seen);

-- Versions are above this after a restart.
CREATE TABLE writer_presence_clock (
    id    INTEGER PRIMARY KEY CHECK (id = 1),
    clock INTEGER NOT NULL
);

-- +goose Down
DROP TABLE writer_presence_clock;
DROP TABLE writer_presence;
