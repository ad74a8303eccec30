-- +goose Up

-- The newest states of sessions since they were last moved into writer_presence, a row for each commit. They take
-- precedence over the rows there, and a row with a higher id over one with a lower. records has the form that
-- sqlitestore/log.go describes. Versions are above clock after a restart.
CREATE TABLE writer_presence_log (
    id       INTEGER PRIMARY KEY,
    clock    INTEGER NOT NULL,
    records  BLOB    NOT NULL,
    checksum INTEGER NOT NULL
);

-- +goose Down
DROP TABLE writer_presence_log;
