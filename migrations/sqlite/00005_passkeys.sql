-- +goose Up

-- What a way of signing in that takes two requests keeps between them. Who shows the id uses it up.
CREATE TABLE ceremonies (
    id_hash    blob    PRIMARY KEY,
    purpose    text    NOT NULL,
    user_id    integer REFERENCES users (id) ON DELETE CASCADE, -- null: not known before the end
    session_id text    NOT NULL DEFAULT '',                     -- empty: begun by nobody's session
    data       text    NOT NULL,
    created_at integer NOT NULL,
    expires_at integer NOT NULL
) WITHOUT ROWID;
CREATE INDEX ceremonies_by_user ON ceremonies (user_id);
CREATE INDEX ceremonies_by_expiry ON ceremonies (expires_at);

-- Whom an authenticator takes a person for: random, so that it tells nothing of them. Null until the first passkey.
ALTER TABLE users ADD COLUMN passkey_handle blob;
CREATE UNIQUE INDEX users_by_passkey_handle ON users (passkey_handle);

CREATE TABLE passkeys (
    id            integer PRIMARY KEY AUTOINCREMENT,
    user_id       integer NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name          text    NOT NULL,
    credential_id blob    NOT NULL UNIQUE,
    public_key    blob    NOT NULL,                             -- COSE_Key (RFC 9052 §7)
    transports    text    NOT NULL DEFAULT '',                  -- separated by single spaces
    flags         integer NOT NULL,                             -- of the authenticator data
    sign_count    integer NOT NULL,
    created_at    integer NOT NULL,
    last_used_at  integer
);
CREATE INDEX passkeys_by_user ON passkeys (user_id);

-- +goose Down
DROP TABLE passkeys;
DROP TABLE ceremonies;
DROP INDEX users_by_passkey_handle;
ALTER TABLE users DROP COLUMN passkey_handle;
