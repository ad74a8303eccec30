-- +goose Up

-- Unsaved work, waiting, and what else a user shows. The defaults are the values that checksum leaves out,
-- so checksums of older rows stay valid.
ALTER TABLE writer_presence ADD COLUMN unsaved INTEGER NOT NULL DEFAULT 0;
ALTER TABLE writer_presence ADD COLUMN waiting_for TEXT NOT NULL DEFAULT '';
ALTER TABLE writer_presence ADD COLUMN avatar_url TEXT NOT NULL DEFAULT '';
ALTER TABLE writer_presence ADD COLUMN agent INTEGER NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE writer_presence DROP COLUMN agent;
ALTER TABLE writer_presence DROP COLUMN avatar_url;
ALTER TABLE writer_presence DROP COLUMN waiting_for;
ALTER TABLE writer_presence DROP COLUMN unsaved;
