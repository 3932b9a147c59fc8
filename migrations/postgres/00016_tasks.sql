-- +goose Up

-- What another system does for some time, with a log that grows meanwhile. Its id is the offset of the log's entry that
-- told of its beginning, so it can be compared with where people joined.
CREATE TABLE tasks (
    id         bigint PRIMARY KEY,
    title      text   NOT NULL,
    creator    text   NOT NULL,
    audiences  text   NOT NULL,              -- separated by spaces; task_recipients holds the same as an index
    state      text   NOT NULL CHECK (state IN ('running', 'succeeded', 'failed', 'canceled')),
    exit_code  bigint,
    bytes      bigint NOT NULL DEFAULT 0,   -- the log's end
    created_at bigint NOT NULL,
    changed_at bigint NOT NULL,             -- when it last grew
    ended_at   bigint
);
CREATE INDEX tasks_by_creator ON tasks (creator, id);

CREATE TABLE task_recipients (
    audience text   NOT NULL,
    task_id  bigint NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    PRIMARY KEY (audience, task_id)
);
CREATE INDEX task_recipients_by_task ON task_recipients (task_id);

-- The log, in pieces of a bounded size without a hole between them. chunk_start is a piece's first byte, counted from the
-- log's.
CREATE TABLE task_chunks (
    task_id     bigint NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    chunk_start bigint NOT NULL,
    data        bytea  NOT NULL,
    PRIMARY KEY (task_id, chunk_start)
);

-- +goose Down
DROP TABLE task_chunks;
DROP TABLE task_recipients;
DROP TABLE tasks;
