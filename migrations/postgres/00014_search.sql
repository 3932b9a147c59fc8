-- +goose Up

-- Where words, audiences and categories occur in the log: each a hash in the lower half of a key, the number of the
-- stretch of the log in the upper. A stretch so has its keys side by side: what is new goes to one place of the index, what
-- was trimmed leaves one, and no list of a key is longer than a stretch. It is filled behind the log, up to search_state.
CREATE TABLE search_index (
    log_offset bigint   PRIMARY KEY,
    keys       bigint[] NOT NULL
);
-- New rows wait in a list that each search has to read; who fills the table puts them in their places at once.
CREATE INDEX search_index_by_key ON search_index USING gin (keys);

CREATE TABLE search_state (
    id      smallint PRIMARY KEY DEFAULT 1 CHECK (id = 1),
    indexed bigint   NOT NULL -- the last entry that was looked at
);
INSERT INTO search_state (indexed) SELECT trimmed FROM log_head;

-- +goose Down
DROP TABLE search_state, search_index;
