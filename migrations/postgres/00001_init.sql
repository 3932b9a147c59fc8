-- +goose Up

-- Every time is an integer: milliseconds since 1970-01-01 UTC. Every decision about time is taken by this clock.
-- +goose StatementBegin
CREATE FUNCTION now_ms() RETURNS bigint LANGUAGE sql VOLATILE AS
$$ SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint $$;
-- +goose StatementEnd

-- The log: one commit-ordered line of entries. head is the last offset given, trimmed the last one deleted.
CREATE TABLE log_head (
    id      smallint PRIMARY KEY DEFAULT 1 CHECK (id = 1),
    epoch   text     NOT NULL,
    head    bigint   NOT NULL DEFAULT 0,
    trimmed bigint   NOT NULL DEFAULT 0
);
INSERT INTO log_head (epoch) VALUES (substr(replace(gen_random_uuid()::text, '-', ''), 1, 10));

CREATE TABLE entries (
    log_offset   bigint PRIMARY KEY,
    kind         text   NOT NULL,
    subject      bigint NOT NULL,           -- what it is about; its own offset where it begins something new
    actor        text   NOT NULL DEFAULT '',
    topic        text   NOT NULL DEFAULT '',
    collapse_key text   NOT NULL DEFAULT '',
    audiences    text   NOT NULL,           -- separated by spaces; recipients holds the same as an index
    payload      text   NOT NULL,           -- JSON
    created_at   bigint NOT NULL,
    expires_at   bigint,
    withdrawn_at bigint
);
CREATE INDEX entries_by_actor ON entries (actor, log_offset) WHERE kind = 'notice';
CREATE INDEX entries_by_collapse_key ON entries (actor, collapse_key, log_offset) WHERE collapse_key <> '';
CREATE INDEX entries_by_subject ON entries (subject) WHERE kind = 'notice';

CREATE TABLE recipients (
    audience   text   NOT NULL,
    log_offset bigint NOT NULL,
    PRIMARY KEY (audience, log_offset)
);

-- What a request made that may be repeated under its key.
CREATE TABLE idempotency_keys (
    principal  text   NOT NULL,
    key        text   NOT NULL,
    digest     text   NOT NULL,
    subject    bigint NOT NULL,                      -- what was made: an offset of the log, or the id of a row
    created_at bigint NOT NULL,
    PRIMARY KEY (principal, key)
);
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);

-- Appends a batch in one statement. The advisory lock comes before the counter row and both are held through the
-- commit, so offsets are given in commit order and no reader of "log_offset > n" can ever skip one. Being one
-- statement, it never waits for a client while it holds the lock.
-- An item whose idempotency key was used within a day is not appended: its row tells the first one's digest instead.
-- +goose StatementBegin
CREATE FUNCTION journal_append(
    kinds text[], subjects bigint[], actors text[], topics text[], collapse_keys text[], audience_lists text[],
    payloads text[], expiries bigint[], principals text[], idem_keys text[], digests text[])
RETURNS TABLE (item int, at_offset bigint, at_ms bigint, used_digest text)
LANGUAGE plpgsql AS $$
DECLARE
    fresh int[];
    base  bigint;
    at    bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(822301);
    at := now_ms();
    fresh := ARRAY(
        SELECT i FROM generate_subscripts(kinds, 1) i
        WHERE idem_keys[i] = '' OR NOT EXISTS (
            SELECT 1 FROM idempotency_keys k
            WHERE k.principal = principals[i] AND k.key = idem_keys[i] AND k.created_at > at - 86400000)
        ORDER BY i);
    UPDATE log_head SET head = head + cardinality(fresh) RETURNING head - cardinality(fresh) INTO base;

    INSERT INTO entries (log_offset, kind, subject, actor, topic, collapse_key, audiences, payload, created_at, expires_at)
    SELECT base + ord, kinds[i], CASE WHEN subjects[i] = 0 THEN base + ord ELSE subjects[i] END,
           actors[i], topics[i], collapse_keys[i], audience_lists[i], payloads[i], at, NULLIF(expiries[i], 0)
    FROM unnest(fresh) WITH ORDINALITY AS f(i, ord);

    INSERT INTO recipients (audience, log_offset)
    SELECT DISTINCT a, base + ord
    FROM unnest(fresh) WITH ORDINALITY AS f(i, ord), string_to_table(audience_lists[i], ' ') AS a
    WHERE a <> '';

    INSERT INTO idempotency_keys (principal, key, digest, subject, created_at)
    SELECT principals[i], idem_keys[i], digests[i], base + ord, at
    FROM unnest(fresh) WITH ORDINALITY AS f(i, ord)
    WHERE idem_keys[i] <> ''
    ON CONFLICT (principal, key) DO UPDATE
    SET digest = excluded.digest, subject = excluded.subject, created_at = excluded.created_at;

    RETURN QUERY
    SELECT f.i, base + f.ord, at, NULL::text
    FROM unnest(fresh) WITH ORDINALITY AS f(i, ord)
    UNION ALL
    SELECT i, k.subject, k.created_at, k.digest
    FROM generate_subscripts(kinds, 1) i
    JOIN idempotency_keys k ON k.principal = principals[i] AND k.key = idem_keys[i]
    WHERE NOT i = ANY (fresh);
END $$;
-- +goose StatementEnd

CREATE TABLE users (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    username      text   NOT NULL,
    display_name  text   NOT NULL,
    role          text   NOT NULL CHECK (role IN ('user', 'admin')),
    locale        text   NOT NULL DEFAULT '',
    password_hash text   NOT NULL,
    created_at    bigint NOT NULL,
    joined_offset bigint NOT NULL,
    disabled_at   bigint
);
CREATE UNIQUE INDEX users_by_name ON users (lower(username));

CREATE TABLE groups (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name         text   NOT NULL,
    display_name text   NOT NULL,
    created_at   bigint NOT NULL
);
CREATE UNIQUE INDEX groups_by_name ON groups (lower(name));

CREATE TABLE memberships (
    group_id      bigint NOT NULL REFERENCES groups ON DELETE CASCADE,
    user_id       bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    joined_offset bigint NOT NULL,
    PRIMARY KEY (group_id, user_id)
);
CREATE INDEX memberships_by_user ON memberships (user_id);

CREATE TABLE sessions (
    id             text   PRIMARY KEY,
    user_id        bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    secret_hash    bytea  NOT NULL,
    state          text   NOT NULL CHECK (state IN ('active', 'locked', 'ended')),
    reason         text,
    created_at     bigint NOT NULL,
    last_active_at bigint NOT NULL,
    proved_at      bigint NOT NULL,
    ended_at       bigint,
    failed_unlocks int    NOT NULL DEFAULT 0,
    ip             text   NOT NULL DEFAULT '',
    user_agent     text   NOT NULL DEFAULT ''
);
CREATE INDEX sessions_by_user ON sessions (user_id);
CREATE INDEX sessions_by_activity ON sessions (last_active_at) WHERE state = 'active';
CREATE INDEX sessions_by_age ON sessions (created_at) WHERE state <> 'ended';
CREATE INDEX sessions_by_end ON sessions (ended_at) WHERE state = 'ended';

CREATE TABLE api_keys (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name       text   NOT NULL,
    hash       bytea  NOT NULL UNIQUE,
    scopes     text   NOT NULL,
    created_at bigint NOT NULL,
    expires_at bigint,
    revoked_at bigint
);

CREATE TABLE notice_states (
    user_id     bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    notice_id   bigint NOT NULL,
    read_at     bigint,
    archived_at bigint,
    PRIMARY KEY (user_id, notice_id)
);

-- Nothing of a person's inbox at or below read_floor is unread. No row: nothing is known.
CREATE TABLE inboxes (
    user_id    bigint PRIMARY KEY REFERENCES users ON DELETE CASCADE,
    read_floor bigint NOT NULL
);

CREATE TABLE secrets (
    name       text   PRIMARY KEY,
    value      text   NOT NULL,
    created_at bigint NOT NULL
);

-- +goose Down
DROP TABLE secrets, inboxes, notice_states, api_keys, sessions, memberships, groups, users, idempotency_keys, recipients, entries, log_head;
DROP FUNCTION journal_append;
DROP FUNCTION now_ms;
