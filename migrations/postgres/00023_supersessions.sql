-- +goose Up

-- Notices with a collapse key of which the streams were not told yet what they have superseded. The row is written with the
-- notice, so that none is forgotten, whichever node fails; see services/supersession.go.
CREATE TABLE supersessions (
    log_offset bigint PRIMARY KEY
);

-- +goose StatementBegin
CREATE FUNCTION note_supersession() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO supersessions (log_offset) VALUES (NEW.log_offset);
    RETURN NULL;
END $$;
-- +goose StatementEnd

CREATE TRIGGER entries_supersession AFTER INSERT ON entries
    FOR EACH ROW WHEN (NEW.collapse_key <> '') EXECUTE FUNCTION note_supersession();

-- +goose Down
DROP TRIGGER entries_supersession ON entries;
DROP FUNCTION note_supersession;
DROP TABLE supersessions;
