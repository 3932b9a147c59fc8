-- +goose Up

-- Who signs in at a provider as whom. A name may change there; the subject of an issuer is one person for ever.
CREATE TABLE identities (
    issuer     text   NOT NULL,
    subject    text   NOT NULL,
    user_id    bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    created_at bigint NOT NULL,
    PRIMARY KEY (issuer, subject)
);
CREATE UNIQUE INDEX identities_by_user ON identities (user_id, issuer);

-- The provider's name for its own session, of a session that began there; empty where it gives none, null for all others.
ALTER TABLE sessions ADD COLUMN oidc_sid text;
CREATE INDEX sessions_by_oidc_sid ON sessions (oidc_sid) WHERE oidc_sid <> '';

-- Logout tokens that were used: none counts twice, and a sign-in that one overtook does not open a session.
CREATE TABLE logout_tokens (
    id_hash     bytea  PRIMARY KEY,
    subject     text   NOT NULL,
    sid         text   NOT NULL,
    received_at bigint NOT NULL,
    expires_at  bigint NOT NULL
);
CREATE INDEX logout_tokens_by_arrival ON logout_tokens (received_at);
CREATE INDEX logout_tokens_by_expiry ON logout_tokens (expires_at);

-- +goose Down
DROP TABLE logout_tokens, identities;
ALTER TABLE sessions DROP COLUMN oidc_sid;
