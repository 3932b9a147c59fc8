-- +goose Up

-- Where the log lies: the database cluster and its timeline, as "SYSTEM/TIMELINE". Another one means that what was read
-- before may be gone, so it gives the log a new epoch. Empty = not known yet.
ALTER TABLE log_head ADD COLUMN identity text NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE log_head DROP COLUMN identity;
