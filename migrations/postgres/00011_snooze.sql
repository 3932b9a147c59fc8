-- +goose Up

-- Until then the notice is out of the person's inbox. Who says that it is back clears it; inboxes go by the clock.
ALTER TABLE notice_states ADD COLUMN snoozed_until bigint;
CREATE INDEX notice_states_by_snooze ON notice_states (snoozed_until) WHERE snoozed_until IS NOT NULL;
CREATE INDEX notice_states_snoozed ON notice_states (user_id, snoozed_until) WHERE snoozed_until IS NOT NULL;

-- +goose Down
DROP INDEX notice_states_snoozed;
DROP INDEX notice_states_by_snooze;
ALTER TABLE notice_states DROP COLUMN snoozed_until;
