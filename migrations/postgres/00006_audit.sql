-- +goose Up

-- Who did what to which session, key or person, when and from where. It outlives what it tells of, so it refers to no
-- row. Ids of sessions are hashed: whoever reads this cannot use them.
CREATE TABLE audit (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at            bigint NOT NULL,
    action        text   NOT NULL,
    actor_type    text   NOT NULL,
    actor_name    text   NOT NULL,
    actor_session text   NOT NULL,
    username      text   NOT NULL,
    session       text   NOT NULL,
    key_name      text   NOT NULL,
    ip            text   NOT NULL,
    user_agent    text   NOT NULL,
    detail        text   NOT NULL            -- a JSON object
);
CREATE INDEX audit_by_time ON audit (at);
CREATE INDEX audit_by_user ON audit (lower(username), id);
CREATE INDEX audit_by_actor ON audit (lower(actor_name), id);
CREATE INDEX audit_by_session ON audit (session, id) WHERE session <> '';

-- +goose Down
DROP TABLE audit;
