-- +goose Up

-- The note's index: nothing here asks the database who is online, and to keep it cost more
-- than to keep the rows.
DROP INDEX writer_presence_living;

-- +goose Down
CREATE INDEX writer_presence_living ON writer_presence (project, is_active, last_seen);
