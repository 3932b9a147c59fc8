-- +goose Up

-- What a key sends to where a request cannot say so, as JSON, and how much it may publish, as in 60/m; empty = nobody, and
-- no limit.
ALTER TABLE api_keys ADD COLUMN deliver_to text NOT NULL DEFAULT '', ADD COLUMN rate text NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE api_keys DROP COLUMN deliver_to, DROP COLUMN rate;
