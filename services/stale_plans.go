package services

import (
	"context"
	"database/sql/driver"
	"errors"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

// connector makes connections to PostgreSQL that outlive a change of the schema.
type connector struct{ driver.Connector }

func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	made, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	conn, ok := made.(*stdlib.Conn)
	if !ok {
		return nil, errors.Join(errors.New("the driver of PostgreSQL is another than expected"), made.Close())
	}
	return connection{conn}, nil
}

// connection asks again where PostgreSQL refuses a prepared query because a table has another column by now. In a rolling
// upgrade the first node of the new version adds columns while the others serve: without this, each of their connections would
// fail once with every query that takes all columns of the table.
type connection struct{ *stdlib.Conn }

// idle is what PostgreSQL calls a connection outside of a transaction.
const idle = 'I'

// QueryContext is the driver's. A transaction is over with the first refusal, so within one nothing is repeated.
func (c connection) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	rows, err := c.Conn.QueryContext(ctx, query, args)
	if isStalePlan(err) && c.Conn.Conn().PgConn().TxStatus() == idle {
		return c.Conn.QueryContext(ctx, query, args) // prepared anew, for the driver has dropped it
	}
	return rows, err
}

// isStalePlan reports whether a prepared query was refused because what it gives has changed: "cached plan must not change
// result type". It did nothing. The message is in the language of the server, and the code is that of much else.
func isStalePlan(err error) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && e.Code == "0A000" && e.Routine == "RevalidateCachedQuery"
}
