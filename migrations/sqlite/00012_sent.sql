-- +goose Up

-- What somebody has sent, by the id of the notice: of one that was scheduled the offset is another.
DROP INDEX entries_by_actor;
CREATE INDEX entries_by_sender ON entries (actor, subject) WHERE kind = 'notice';

-- Who has read a notice, the last one first.
CREATE INDEX notice_states_by_reading ON notice_states (notice_id, read_at, user_id) WHERE read_at IS NOT NULL;

-- How many people there were at a place of the log.
CREATE INDEX users_by_joining ON users (joined_offset);

-- Notices that are to be released later. The row becomes an entry of the log then, about the id that was given out when it
-- was written; until then it lies here, for the log may be trimmed before.
CREATE TABLE schedules (
    id           integer PRIMARY KEY,        -- of the notice: an offset of the log, where an entry without readers keeps it
    actor        text   NOT NULL,
    topic        text   NOT NULL,
    collapse_key text   NOT NULL,
    audiences    text   NOT NULL,
    payload      text   NOT NULL,
    expires_at   integer,
    deliver_at   integer NOT NULL,
    created_at   integer NOT NULL,
    withdrawn_at integer
);
CREATE INDEX schedules_by_time ON schedules (deliver_at, id) WHERE withdrawn_at IS NULL;
CREATE INDEX schedules_by_sender ON schedules (actor, id);

-- +goose Down
DROP TABLE schedules;
DROP INDEX users_by_joining;
DROP INDEX notice_states_by_reading;
DROP INDEX entries_by_sender;
CREATE INDEX entries_by_actor ON entries (actor, log_offset) WHERE kind = 'notice';
