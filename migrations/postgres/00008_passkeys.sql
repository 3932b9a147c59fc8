-- +goose Up

-- What a way of signing in that takes two requests keeps between them. Who shows the id uses it up, on whichever node.
CREATE TABLE ceremonies (
    id_hash    bytea  PRIMARY KEY,
    purpose    text   NOT NULL,
    user_id    bigint REFERENCES users ON DELETE CASCADE, -- null: not known before the end
    session_id text   NOT NULL DEFAULT '',                -- empty: begun by nobody's session
    data       text   NOT NULL,
    created_at bigint NOT NULL,
    expires_at bigint NOT NULL
);
CREATE INDEX ceremonies_by_user ON ceremonies (user_id);
CREATE INDEX ceremonies_by_expiry ON ceremonies (expires_at);

-- Whom an authenticator takes a person for: random, so that it tells nothing of them. Null until the first passkey.
ALTER TABLE users ADD COLUMN passkey_handle bytea;
CREATE UNIQUE INDEX users_by_passkey_handle ON users (passkey_handle);

CREATE TABLE passkeys (
    id            bigint   GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id       bigint   NOT NULL REFERENCES users ON DELETE CASCADE,
    name          text     NOT NULL,
    credential_id bytea    NOT NULL UNIQUE,
    public_key    bytea    NOT NULL,                      -- COSE_Key (RFC 9052 §7)
    transports    text     NOT NULL DEFAULT '',           -- separated by single spaces
    flags         smallint NOT NULL,                      -- of the authenticator data
    sign_count    bigint   NOT NULL,
    created_at    bigint   NOT NULL,
    last_used_at  bigint
);
CREATE INDEX passkeys_by_user ON passkeys (user_id);

-- +goose Down
DROP TABLE passkeys, ceremonies;
ALTER TABLE users DROP COLUMN passkey_handle;
