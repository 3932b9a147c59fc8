-- +goose Up

-- A person's authenticator app (TOTP). secret is the one in use, pending one that was shown and not yet confirmed.
CREATE TABLE totps (
    user_id    bigint PRIMARY KEY REFERENCES users ON DELETE CASCADE,
    secret     text,
    pending    text,
    pending_at bigint,
    last_step  bigint NOT NULL DEFAULT 0              -- the newest time step whose code was accepted; none is accepted twice
);

-- A recovery code is deleted when it is used. All go with the authenticator that they stand in for.
CREATE TABLE recovery_codes (
    user_id bigint NOT NULL REFERENCES totps ON DELETE CASCADE,
    hash    bytea  NOT NULL,
    PRIMARY KEY (user_id, hash)
);

-- The link by which a person may set a new password. A newer one takes its place.
CREATE TABLE password_resets (
    user_id    bigint PRIMARY KEY REFERENCES users ON DELETE CASCADE,
    token_hash bytea  NOT NULL UNIQUE,
    expires_at bigint NOT NULL
);

-- +goose Down
DROP TABLE password_resets, recovery_codes, totps;
