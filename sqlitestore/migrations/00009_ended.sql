-- +goose Up

-- Finds the rows to purge. It has ended sessions only, so a renewal does not change it.
CREATE INDEX writer_presence_ended ON writer_presence (last_seen) WHERE is_active = 0;

-- +goose Down
DROP INDEX writer_presence_ended;
