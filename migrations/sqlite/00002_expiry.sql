-- +goose Up

-- When it was said that a notice has expired; that is said once.
ALTER TABLE entries ADD COLUMN expired_at integer;
CREATE INDEX entries_by_expiry ON entries (expires_at) WHERE expires_at IS NOT NULL AND expired_at IS NULL;

-- +goose Down
DROP INDEX entries_by_expiry;
ALTER TABLE entries DROP COLUMN expired_at;
