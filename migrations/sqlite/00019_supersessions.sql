-- +goose Up

-- Notices with a collapse key of which the streams were not told yet what they have superseded. The row is written with the
-- notice, so that none is forgotten when the server fails; see services/supersession.go.
CREATE TABLE supersessions (
    log_offset integer PRIMARY KEY
);

-- +goose StatementBegin
CREATE TRIGGER entries_supersession AFTER INSERT ON entries WHEN NEW.collapse_key <> ''
BEGIN
    INSERT INTO supersessions (log_offset) VALUES (NEW.log_offset);
END;
-- +goose StatementEnd

-- +goose Down
DROP TRIGGER entries_supersession;
DROP TABLE supersessions;
