-- +goose Up

-- What a person has archived, so that to show it is not to look through all that they were ever sent.
CREATE INDEX notice_states_archived ON notice_states (user_id, notice_id) WHERE archived_at IS NOT NULL;

-- +goose Down
DROP INDEX notice_states_archived;
