-- +goose Up

-- What Belfry proves itself to push services with (RFC 8292): one pair of an installation. Browsers subscribe for the
-- public key, so another pair would void every subscription.
CREATE TABLE vapid_keys (
    id          integer  PRIMARY KEY DEFAULT 1 CHECK (id = 1),
    public_key  text     NOT NULL,               -- base64url
    private_key text     NOT NULL,               -- sealed
    created_at  integer  NOT NULL
);

-- Browsers that are told of notices while no page of ours is open. Each belongs to a session and goes with it.
CREATE TABLE push_subscriptions (
    id           integer PRIMARY KEY AUTOINCREMENT,
    endpoint     text    NOT NULL UNIQUE,         -- whoever knows it may send: it is logged nowhere
    service      text    NOT NULL,                -- the endpoint's origin
    p256dh       text    NOT NULL,                -- base64url
    auth         text    NOT NULL,                -- base64url
    session_id   text    NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    user_id      integer NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    after_offset integer NOT NULL,                -- it is told of what came after this
    created_at   integer NOT NULL
);
CREATE INDEX push_subscriptions_by_session ON push_subscriptions (session_id);
CREATE INDEX push_subscriptions_by_user ON push_subscriptions (user_id);
CREATE INDEX push_subscriptions_by_offset ON push_subscriptions (after_offset);

-- How far the log was turned into deliveries: all below log_offset, and of log_offset itself the subscriptions up to
-- subscription_id.
CREATE TABLE push_progress (
    id              integer  PRIMARY KEY DEFAULT 1 CHECK (id = 1),
    log_offset      integer  NOT NULL,
    subscription_id integer  NOT NULL
);
INSERT INTO push_progress (log_offset, subscription_id) SELECT head + 1, 0 FROM log_head;

-- What is still to be pushed. No foreign keys: what a row names may be gone when its turn comes, and is then dropped.
CREATE TABLE push_deliveries (
    id              integer PRIMARY KEY AUTOINCREMENT,
    subscription_id integer NOT NULL,
    service         text    NOT NULL,
    log_offset      integer NOT NULL,
    created_at      integer NOT NULL,             -- when the notice was published
    attempts        integer NOT NULL DEFAULT 0,
    due_at          integer NOT NULL,
    leased_until    integer NOT NULL DEFAULT 0    -- until then a node is at it
);
CREATE INDEX push_deliveries_by_due ON push_deliveries (service, due_at);

-- +goose Down
DROP TABLE push_deliveries;
DROP TABLE push_progress;
DROP TABLE push_subscriptions;
DROP TABLE vapid_keys;
