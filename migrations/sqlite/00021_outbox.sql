-- +goose Up

-- In the order in which messages are sent, so that the first few are found without sorting all that wait.
DROP INDEX webhook_deliveries_by_due;
CREATE INDEX webhook_deliveries_by_due ON webhook_deliveries (webhook_id, due_at, id);

-- +goose Down
DROP INDEX webhook_deliveries_by_due;
CREATE INDEX webhook_deliveries_by_due ON webhook_deliveries (webhook_id, due_at);
