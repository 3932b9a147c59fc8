-- +goose Up

-- What people have chosen, as JSON. No row: the defaults. The locale lies in users as well, with which sessions are read.
CREATE TABLE preferences (
    user_id bigint PRIMARY KEY REFERENCES users ON DELETE CASCADE,
    chosen  text   NOT NULL
);

-- +goose Down
DROP TABLE preferences;
