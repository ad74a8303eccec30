-- +goose Up

-- The moves of sections in the last ten minutes. version is that of the project, which follows the clock in
-- milliseconds of Unix time, so it also says when a row can be deleted.
CREATE TABLE writer_presence_moves (
    project  TEXT    NOT NULL,
    version  INTEGER NOT NULL,
    source   TEXT    NOT NULL,
    target   TEXT    NOT NULL,
    checksum INTEGER NOT NULL,
    PRIMARY KEY (project, version)
) WITHOUT ROWID;

-- +goose Down
DROP TABLE writer_presence_moves;
