-- +goose Up

-- A disabled group takes no new notices; it keeps its members, and they keep what it was sent.
ALTER TABLE groups ADD COLUMN disabled_at bigint;

-- What people can mute a key's notices by where a notice says nothing of it; empty = nothing.
ALTER TABLE api_keys ADD COLUMN category text NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE api_keys DROP COLUMN category;
ALTER TABLE groups DROP COLUMN disabled_at;
