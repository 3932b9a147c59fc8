-- +goose Up

-- Where words, audiences and categories occur in the log, as hashes; rowid is the offset. It is filled behind the log, up to
-- search_state.
CREATE VIRTUAL TABLE search_index USING fts5(keys, content='', contentless_delete=1, detail=none, tokenize='ascii');

CREATE TABLE search_state (
    id      integer PRIMARY KEY DEFAULT 1 CHECK (id = 1),
    indexed integer NOT NULL -- the last entry that was looked at
);
INSERT INTO search_state (indexed) SELECT trimmed FROM log_head;

-- +goose Down
DROP TABLE search_state;
DROP TABLE search_index;
