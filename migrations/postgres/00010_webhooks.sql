-- +goose Up

-- Systems that are told by HTTP when a session changes.
CREATE TABLE webhooks (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    url              text   NOT NULL,
    events           text   NOT NULL,            -- separated by single spaces
    secret           text   NOT NULL,            -- sealed
    created_at       bigint NOT NULL,
    disabled_at      bigint,                     -- the receiver said that it is gone
    last_delivery_at bigint,                     -- the last attempt
    last_status      int,                        -- of its answer; null = none came
    failing_since    bigint,
    given_up         bigint NOT NULL DEFAULT 0   -- messages that were tried until the last time
);

-- What is still to be sent. A row is written in the transaction that changes the session, and deleted when it has
-- arrived. Of one webhook and session the oldest goes first; ids follow the order of commits, because the session's own
-- row is locked before.
CREATE TABLE webhook_deliveries (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    webhook_id   bigint NOT NULL REFERENCES webhooks ON DELETE CASCADE,
    session_id   text   NOT NULL,
    message_id   text   NOT NULL,                -- the same at every attempt
    body         text   NOT NULL,                -- JSON
    attempts     int    NOT NULL DEFAULT 0,
    due_at       bigint NOT NULL,
    leased_until bigint NOT NULL DEFAULT 0       -- until then a node is at it
);
CREATE INDEX webhook_deliveries_by_due ON webhook_deliveries (webhook_id, due_at);
CREATE INDEX webhook_deliveries_by_session ON webhook_deliveries (webhook_id, session_id, id);

-- A signing key that was replaced goes on verifying from here for as long as a cookie lives; null = it signs.
ALTER TABLE secrets ADD COLUMN retired_at bigint;

ALTER TABLE api_keys ADD COLUMN last_used_at bigint;

-- +goose Down
ALTER TABLE api_keys DROP COLUMN last_used_at;
ALTER TABLE secrets DROP COLUMN retired_at;
DROP TABLE webhook_deliveries, webhooks;
