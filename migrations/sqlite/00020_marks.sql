-- +goose Up

-- Marks of what was put off or archived unread, by the notice: with notice_states_by_reading all that a trimmed notice leaves
-- behind is found without reading every mark there is.
CREATE INDEX notice_states_unread ON notice_states (notice_id) WHERE read_at IS NULL;

-- +goose Down
DROP INDEX notice_states_unread;
