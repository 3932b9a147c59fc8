-- +goose Up

-- Every time is an integer: milliseconds since 1970-01-01 UTC. Every decision about time is taken by this clock.
-- The log: one commit-ordered line of entries. head is the last offset given, trimmed the last one deleted.
CREATE TABLE log_head (
    id      integer  PRIMARY KEY DEFAULT 1 CHECK (id = 1),
    epoch   text     NOT NULL,
    head    integer   NOT NULL DEFAULT 0,
    trimmed integer   NOT NULL DEFAULT 0
);
INSERT INTO log_head (epoch) VALUES (lower(hex(randomblob(5))));

CREATE TABLE entries (
    log_offset   integer PRIMARY KEY,
    kind         text   NOT NULL,
    subject      integer NOT NULL,           -- what it is about; its own offset where it begins something new
    actor        text   NOT NULL DEFAULT '',
    topic        text   NOT NULL DEFAULT '',
    collapse_key text   NOT NULL DEFAULT '',
    audiences    text   NOT NULL,           -- separated by spaces; recipients holds the same as an index
    payload      text   NOT NULL,           -- JSON
    created_at   integer NOT NULL,
    expires_at   integer,
    withdrawn_at integer
);
CREATE INDEX entries_by_actor ON entries (actor, log_offset) WHERE kind = 'notice';
CREATE INDEX entries_by_collapse_key ON entries (actor, collapse_key, log_offset) WHERE collapse_key <> '';
CREATE INDEX entries_by_subject ON entries (subject) WHERE kind = 'notice';

CREATE TABLE recipients (
    audience   text   NOT NULL,
    log_offset integer NOT NULL,
    PRIMARY KEY (audience, log_offset)
) WITHOUT ROWID;

-- What a request made that may be repeated under its key.
CREATE TABLE idempotency_keys (
    principal  text   NOT NULL,
    key        text   NOT NULL,
    digest     text   NOT NULL,
    subject    integer NOT NULL,                      -- what was made: an offset of the log, or the id of a row
    created_at integer NOT NULL,
    PRIMARY KEY (principal, key)
);
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);

CREATE TABLE users (
    id            integer PRIMARY KEY AUTOINCREMENT,
    username      text   NOT NULL,
    display_name  text   NOT NULL,
    role          text   NOT NULL CHECK (role IN ('user', 'admin')),
    locale        text   NOT NULL DEFAULT '',
    password_hash text   NOT NULL,
    created_at    integer NOT NULL,
    joined_offset integer NOT NULL,
    disabled_at   integer
);
CREATE UNIQUE INDEX users_by_name ON users (lower(username));

CREATE TABLE groups (
    id           integer PRIMARY KEY AUTOINCREMENT,
    name         text   NOT NULL,
    display_name text   NOT NULL,
    created_at   integer NOT NULL
);
CREATE UNIQUE INDEX groups_by_name ON groups (lower(name));

CREATE TABLE memberships (
    group_id      integer NOT NULL REFERENCES groups (id) ON DELETE CASCADE,
    user_id       integer NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    joined_offset integer NOT NULL,
    PRIMARY KEY (group_id, user_id)
);
CREATE INDEX memberships_by_user ON memberships (user_id);

CREATE TABLE sessions (
    id             text   PRIMARY KEY,
    user_id        integer NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    secret_hash    blob   NOT NULL,
    state          text   NOT NULL CHECK (state IN ('active', 'locked', 'ended')),
    reason         text,
    created_at     integer NOT NULL,
    last_active_at integer NOT NULL,
    proved_at      integer NOT NULL,
    ended_at       integer,
    failed_unlocks integer NOT NULL DEFAULT 0,
    ip             text   NOT NULL DEFAULT '',
    user_agent     text   NOT NULL DEFAULT ''
);
CREATE INDEX sessions_by_user ON sessions (user_id);
CREATE INDEX sessions_by_activity ON sessions (last_active_at) WHERE state = 'active';
CREATE INDEX sessions_by_age ON sessions (created_at) WHERE state <> 'ended';
CREATE INDEX sessions_by_end ON sessions (ended_at) WHERE state = 'ended';

CREATE TABLE api_keys (
    id         integer PRIMARY KEY AUTOINCREMENT,
    name       text   NOT NULL,
    hash       blob   NOT NULL UNIQUE,
    scopes     text   NOT NULL,
    created_at integer NOT NULL,
    expires_at integer,
    revoked_at integer
);

CREATE TABLE notice_states (
    user_id     integer NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    notice_id   integer NOT NULL,
    read_at     integer,
    archived_at integer,
    PRIMARY KEY (user_id, notice_id)
);

-- Nothing of a person's inbox at or below read_floor is unread. No row: nothing is known.
CREATE TABLE inboxes (
    user_id    integer PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    read_floor integer NOT NULL
);

CREATE TABLE secrets (
    name       text   PRIMARY KEY,
    value      text   NOT NULL,
    created_at integer NOT NULL
);

-- +goose Down
DROP TABLE secrets;
DROP TABLE inboxes;
DROP TABLE notice_states;
DROP TABLE api_keys;
DROP TABLE sessions;
DROP TABLE memberships;
DROP TABLE groups;
DROP TABLE users;
DROP TABLE idempotency_keys;
DROP TABLE recipients;
DROP TABLE entries;
DROP TABLE log_head;
