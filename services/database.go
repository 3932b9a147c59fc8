// Package services holds the rules: one file a noun. An exported method owns its transaction; an
// unexported function takes it and composes.
package services

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	gosqlite "github.com/glebarez/go-sqlite"
	"github.com/glebarez/sqlite"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"belfry/models"
)

// The names of the two databases.
const (
	Postgres = "postgres"
	SQLite   = "sqlite"
)

// Limits of a statement on PostgreSQL. A transaction that waits longer for a lock, runs longer, or
// sits idle is ended by the server, so that one stopped client cannot hold up every publisher.
const (
	lockTimeout      = 3 * time.Second
	statementTimeout = 10 * time.Second
	idleInTxTimeout  = 5 * time.Second
	connectTimeout   = 5 * time.Second
)

const (
	postgresConns   = 20
	sqliteReadConns = 4
	// sqliteReadCache is how much of the file each of them keeps in memory, as SQLite counts (negative = KiB). The system keeps
	// the file as well, once for all.
	sqliteReadCache = -512
)

// Database is the one place where rows are. On SQLite a write goes through a pool of one connection:
// writers then queue in Go, in order, instead of busy-waiting on the file.
type Database struct {
	Dialect string
	Read    *gorm.DB
	Write   *gorm.DB

	failures counters // wrong proofs that were recorded, by what they were for

	path string   // SQLite: of the file
	hold *os.File // SQLite: the lock on the file, held until Close
}

// OpenDatabase opens postgres://… or sqlite:PATH, whose folder it makes. A SQLite file held by another
// process is a *HeldError.
func OpenDatabase(ctx context.Context, address string) (*Database, error) {
	if path, ok := sqlitePath(address); ok {
		return openSQLite(ctx, path)
	}
	return openPostgres(ctx, address)
}

// FileMissing reports whether the address is of a SQLite file that is not there.
func FileMissing(address string) bool {
	path, ok := sqlitePath(address)
	if !ok {
		return false
	}
	_, err := os.Stat(path)
	return errors.Is(err, fs.ErrNotExist)
}

func sqlitePath(address string) (path string, ok bool) {
	path, ok = strings.CutPrefix(address, "sqlite:")
	return strings.TrimPrefix(path, "//"), ok
}

func openPostgres(ctx context.Context, address string) (*Database, error) {
	cfg, err := pgx.ParseConfig(address)
	if err != nil {
		// pgx repeats the address in its error, and the address may carry a password.
		return nil, &models.Error{Code: models.CodeInvalid, Detail: "the address of the database is not valid"}
	}
	cfg.ConnectTimeout = connectTimeout
	for name, value := range map[string]string{
		"lock_timeout": milliseconds(lockTimeout), "statement_timeout": milliseconds(statementTimeout),
		"idle_in_transaction_session_timeout": milliseconds(idleInTxTimeout),
		// What is asked here is answered in milliseconds. Where the planner expects more, as of the counts for a hundred people, PostgreSQL would
		// compile the query first, for a second or two.
		"jit": "off",
	} {
		if _, given := cfg.RuntimeParams[name]; !given {
			cfg.RuntimeParams[name] = value
		}
	}
	pool := sql.OpenDB(connector{stdlib.GetConnector(*cfg)})
	pool.SetMaxOpenConns(postgresConns)
	pool.SetMaxIdleConns(postgresConns)
	pool.SetConnMaxIdleTime(5 * time.Minute)
	if err := pool.PingContext(ctx); err != nil {
		return nil, fmt.Errorf("PostgreSQL does not answer: %w", closeAfter(pool, err))
	}
	db, err := gorm.Open(plainPostgres{&postgres.Dialector{Config: &postgres.Config{Conn: pool}}}, gormConfig())
	if err != nil {
		return nil, closeAfter(pool, err)
	}
	return &Database{Dialect: Postgres, Read: db, Write: db, failures: newFailures()}, nil
}

func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// unicodeLower replaces SQLite's lower, which knows ASCII alone: a text is to be found in any case, as
// on PostgreSQL. The driver keeps functions for the whole process.
var unicodeLower = sync.OnceValue(func() error {
	return gosqlite.RegisterDeterministicScalarFunction("lower", 1, func(_ *gosqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
		if text, ok := args[0].(string); ok {
			return strings.ToLower(text), nil
		}
		return args[0], nil
	})
})

// openSQLite is the only place that knows the SQLite dialect and driver.
func openSQLite(ctx context.Context, path string) (*Database, error) {
	if err := unicodeLower(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	hold, err := holdFile(path)
	if err != nil {
		return nil, err
	}
	// Made here, because SQLite itself would let others read what it makes.
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, closeAfter(hold, err)
	}
	if err := file.Close(); err != nil {
		return nil, closeAfter(hold, err)
	}
	open := func(conns int, extra string) (*gorm.DB, error) {
		dsn := (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath()}).String() +
			"?_pragma=busy_timeout(" + busyTimeout + ")&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=foreign_keys(1)" + extra
		db, err := gorm.Open(plainSQLite{&sqlite.Dialector{DSN: dsn}}, gormConfig())
		if err != nil {
			return nil, err
		}
		pool, err := db.DB()
		if err != nil {
			return nil, err
		}
		pool.SetMaxOpenConns(conns)
		pool.SetMaxIdleConns(conns)
		return db, pool.PingContext(ctx)
	}
	d := &Database{Dialect: SQLite, path: path, hold: hold, failures: newFailures()}
	// The first to open the file sets WAL; the writer has to be it, for a reader may not.
	if d.Write, err = open(1, "&_txlock=immediate"); err == nil {
		d.Read, err = open(sqliteReadConns, fmt.Sprintf("&_pragma=query_only(1)&_pragma=cache_size(%d)", sqliteReadCache))
	}
	if err != nil {
		return nil, fmt.Errorf("cannot open %s: %w", path, closeAfter(d, err))
	}
	return d, nil
}

// plainPostgres and plainSQLite do not write values into statements. GORM has that done for its log at every Scan, whether or
// not it logs: it took half of the time of counting an inbox, and put hashes of secrets into texts.
type (
	plainPostgres struct{ *postgres.Dialector }
	plainSQLite   struct{ *sqlite.Dialector }
)

func (plainPostgres) Explain(statement string, _ ...any) string { return statement }

func (plainSQLite) Explain(statement string, _ ...any) string { return statement }

func gormConfig() *gorm.Config {
	return &gorm.Config{
		SkipDefaultTransaction: true,
		TranslateError:         true,
		// Errors are returned and logged once, by whoever answers for them; GORM's own log would print
		// statements with their values.
		Logger: logger.Discard,
	}
}

func closeAfter(c io.Closer, err error) error {
	_ = c.Close() // the first error is the one to tell
	return err
}

// SQL is the pool that writes, for those who speak SQL themselves.
func (d *Database) SQL() *sql.DB {
	pool, err := d.Write.DB()
	if err != nil {
		panic("services: a database without a pool: " + err.Error()) // cannot be: both openers give one
	}
	return pool
}

func newFailures() counters { return newCounters("sign_in", "unlock", "reauthentication") }

// pools gives the pools of connections by what they are for.
func (d *Database) pools() map[string]*sql.DB {
	pools := map[string]*sql.DB{"write": d.SQL()}
	if d.Read != d.Write {
		if read, err := d.Read.DB(); err == nil {
			pools["read"] = read
		}
	}
	return pools
}

// readers is how many may read at once.
func (d *Database) readers() int {
	if d.Dialect == Postgres {
		return postgresConns
	}
	return sqliteReadConns
}

// Ping asks whether the database answers.
func (d *Database) Ping(ctx context.Context) error { return d.SQL().PingContext(ctx) }

// Close gives the connections back, and the file.
func (d *Database) Close() error {
	var first error
	for i, db := range []*gorm.DB{d.Read, d.Write} {
		if db == nil || (i > 0 && d.Read == d.Write) { // on PostgreSQL one pool does both
			continue
		}
		pool, err := db.DB()
		if err == nil {
			err = pool.Close()
		}
		if first == nil {
			first = err
		}
	}
	if d.hold != nil {
		_ = d.hold.Close() // gives up the lock, whatever it says
	}
	return first
}

// now is the SQL for the database's clock in milliseconds.
func (d *Database) now() string {
	if d.Dialect == Postgres {
		return "now_ms()"
	}
	return "CAST(unixepoch('subsec') * 1000 AS INTEGER)"
}

// moment is now, asked once a statement: asked again for each row it would keep PostgreSQL from using an index. It is nothing that
// the planner could not work out itself either: of what it does not know it takes a third of the table to be due, and would rather
// read all of that than the index, each second.
func (d *Database) moment() string {
	if d.Dialect == Postgres {
		return "CAST(extract(epoch FROM statement_timestamp()) * 1000 AS bigint)"
	}
	return "(SELECT " + d.now() + ")"
}

// clock is the database's time.
func (d *Database) clock(ctx context.Context) (now models.Instant, err error) {
	err = d.Write.WithContext(ctx).Raw("SELECT " + d.now()).Scan(&now).Error
	return now, err
}
