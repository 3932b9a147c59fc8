// Package migrations carries the schema as numbered SQL, one folder a database, and knows how to apply it.
package migrations

import (
	"database/sql"
	"embed"
	"io/fs"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

// files holds postgres/ and sqlite/. A migration that was released is never edited; a new number is added.
//
//go:embed postgres/*.sql sqlite/*.sql
var files embed.FS

// On PostgreSQL several nodes may start at once: one migrates, the others ask this often, this many
// times, whether it is done.
const (
	lockPeriod = 1 // seconds
	lockTries  = 300
)

// Provider knows the migrations of a database: "postgres" or "sqlite". On PostgreSQL it works under a lock, so
// that of several nodes that start at once one migrates and the others wait; a SQLite file is held by one
// process anyway. It is not to be closed: that would close the pool.
func Provider(dialect string, pool *sql.DB) (*goose.Provider, error) {
	folder, err := fs.Sub(files, dialect)
	if err != nil {
		return nil, err
	}
	if dialect == "sqlite" {
		return goose.NewProvider(goose.DialectSQLite3, pool, folder)
	}
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(lockPeriod, lockTries))
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(goose.DialectPostgres, pool, folder, goose.WithSessionLocker(locker))
}
