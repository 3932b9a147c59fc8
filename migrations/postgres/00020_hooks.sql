-- +goose Up

-- Which sender's calls are signed for a key, by which secret (sealed), and how calls of other systems are read as notices
-- (JSON); empty = none.
ALTER TABLE api_keys ADD COLUMN hook text NOT NULL DEFAULT '', ADD COLUMN hook_secret text, ADD COLUMN mapping text NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE api_keys DROP COLUMN hook, DROP COLUMN hook_secret, DROP COLUMN mapping;
