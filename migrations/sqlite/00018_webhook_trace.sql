-- +goose Up

-- The place in a trace of what a message tells of, as the header of W3C Trace Context says it; empty = none.
ALTER TABLE webhook_deliveries ADD COLUMN traceparent text NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE webhook_deliveries DROP COLUMN traceparent;
