-- +goose Up

-- Who signs in at a provider as whom. A name may change there; the subject of an issuer is one person for ever.
CREATE TABLE identities (
    issuer     text    NOT NULL,
    subject    text    NOT NULL,
    user_id    integer NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at integer NOT NULL,
    PRIMARY KEY (issuer, subject)
) WITHOUT ROWID;
CREATE UNIQUE INDEX identities_by_user ON identities (user_id, issuer);

-- The provider's name for its own session, of a session that began there; empty where it gives none, null for all others.
ALTER TABLE sessions ADD COLUMN oidc_sid text;
CREATE INDEX sessions_by_oidc_sid ON sessions (oidc_sid) WHERE oidc_sid <> '';

-- Logout tokens that were used: none counts twice, and a sign-in that one overtook does not open a session.
CREATE TABLE logout_tokens (
    id_hash     blob    PRIMARY KEY,
    subject     text    NOT NULL,
    sid         text    NOT NULL,
    received_at integer NOT NULL,
    expires_at  integer NOT NULL
) WITHOUT ROWID;
CREATE INDEX logout_tokens_by_arrival ON logout_tokens (received_at);
CREATE INDEX logout_tokens_by_expiry ON logout_tokens (expires_at);

-- +goose Down
DROP TABLE logout_tokens;
DROP TABLE identities;
DROP INDEX sessions_by_oidc_sid;
ALTER TABLE sessions DROP COLUMN oidc_sid;
