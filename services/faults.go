package services

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"strings"

	gosqlite "github.com/glebarez/go-sqlite"
	"github.com/jackc/pgx/v5/pgconn"
	"gorm.io/gorm"

	"belfry/services/journal"
)

// postgresPassing are the SQLSTATE classes and codes of faults that pass by themselves: connection,
// resources, operator's doing, and what the server cut short.
var postgresPassing = []string{"08", "53", "57P", "58", "57014", "55P03", "40001", "40P01", "25P03", "25006"}

// sqlitePassing are the primary result codes of the same: busy, locked, interrupted, I/O, full, cannot open.
var sqlitePassing = map[int]bool{5: true, 6: true, 9: true, 10: true, 13: true, 14: true}

// IsPassing reports whether a fault is the database's or the queue's and likely to be gone soon.
// What else fails is a fault of ours. A transaction that is done already was rolled back by its deadline, just before its
// next statement.
func IsPassing(err error) bool {
	if errors.Is(err, journal.ErrFull) || errors.Is(err, journal.ErrClosed) || errors.Is(err, driver.ErrBadConn) ||
		errors.Is(err, context.DeadlineExceeded) || errors.Is(err, sql.ErrTxDone) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) {
		return true
	}
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		for _, code := range postgresPassing {
			if strings.HasPrefix(e.Code, code) {
				return true
			}
		}
		return isStalePlan(err)
	}
	if e, ok := errors.AsType[*gosqlite.Error](err); ok {
		return sqlitePassing[e.Code()&0xff]
	}
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return true
	}
	_, ok := errors.AsType[net.Error](err)
	return ok || pgconn.SafeToRetry(err) || strings.Contains(err.Error(), "conn closed")
}

// isDuplicate reports whether a unique index refused a row. GORM translates the fault for its own
// statements; from rows that are read after a raw one PostgreSQL's comes as it is.
func isDuplicate(err error) bool {
	const uniqueViolation = "23505"
	e, ok := errors.AsType[*pgconn.PgError](err)
	return errors.Is(err, gorm.ErrDuplicatedKey) || (ok && e.Code == uniqueViolation)
}
