-- +goose Up

-- What nodes tell each other about themselves. Nothing here outlives them: after a crash of the database the tables are
-- empty, which is what unlogged means, and within a second every node has said again how it is. On SQLite there is one node,
-- which has nobody to tell.
CREATE UNLOGGED TABLE nodes (
    id      text   PRIMARY KEY,
    seen_at bigint NOT NULL,
    report  text   NOT NULL -- JSON
);

-- A question to all nodes, such as who is connected to them, and what each of them answered.
CREATE UNLOGGED TABLE node_questions (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    asked_at bigint NOT NULL,
    question text   NOT NULL -- JSON
);
CREATE UNLOGGED TABLE node_answers (
    question_id bigint NOT NULL REFERENCES node_questions ON DELETE CASCADE,
    node_id     text   NOT NULL,
    answer      text   NOT NULL, -- JSON
    PRIMARY KEY (question_id, node_id)
);

-- +goose Down
DROP TABLE node_answers;
DROP TABLE node_questions;
DROP TABLE nodes;
