-- +goose Up

-- A checksum over all other columns of a row and 0 for a row that an older version wrote, which
-- is not checked.
ALTER TABLE writer_presence ADD COLUMN checksum INTEGER NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE writer_presence DROP COLUMN checksum;
