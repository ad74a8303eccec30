-- +goose Up

-- The newest save of each section. saved_at is in nanoseconds of Unix time, because the order of saves
-- decides which one is dropped at the limit.
CREATE TABLE writer_presence_saves (
    project  TEXT    NOT NULL,
    section  TEXT    NOT NULL,
    revision TEXT    NOT NULL,
    user     TEXT    NOT NULL,
    username TEXT    NOT NULL,
    saved_at INTEGER NOT NULL,
    checksum INTEGER NOT NULL,
    PRIMARY KEY (project, section)
) WITHOUT ROWID;

-- +goose Down
DROP TABLE writer_presence_saves;
