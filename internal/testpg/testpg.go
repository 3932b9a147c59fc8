// Package testpg gives tests a real PostgreSQL: one private server for each test binary,
// started when a test first asks for it, and a database of its own for each test.
//
// TestMain hands over to [Run], a test asks [Database] for a DSN:
//
//	func TestMain(m *testing.M) { os.Exit(testpg.Run(m, migrate)) }
//
//	func TestStore(t *testing.T) { db := open(t, testpg.Database(t)) }
//
// TEST_DATABASE_URL names a server to use in place of a private one. Where PostgreSQL is
// missing a test is skipped, but never where CI or REQUIRE_PG is set: there it fails.
package testpg

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the "pgx" driver of database/sql
)

// queryTimeout bounds each statement of this package, so that a server which hangs fails the test.
const queryTimeout = 30 * time.Second

// errMissing says that no PostgreSQL is installed, as against one that is broken.
var errMissing = errors.New("no PostgreSQL found: set TEST_DATABASE_URL or PG_BIN, or install the package postgresql")

// server is what the tests of one binary share. It is package state because TestMain,
// which knows the migration, has no other way to reach the tests.
var server struct {
	once     sync.Once
	migrate  func(dsn string) error
	cluster  *Cluster // nil when TEST_DATABASE_URL names the server
	admin    *sql.DB
	base     url.URL
	template string
	err      error
}

// Run runs the tests of a package and stops the server they started. migrate brings the empty
// database at dsn to the newest schema; it must close its connections, for a database in use
// cannot be copied. A nil migrate leaves the databases empty.
func Run(m *testing.M, migrate func(dsn string) error) int {
	server.migrate = migrate
	code := m.Run()
	if err := shutdown(); err != nil {
		fmt.Fprintln(os.Stderr, "testpg:", err)
		code = max(code, 1)
	}
	return code
}

// Database returns the DSN of a new database with the schema in place. It is dropped, and who
// is still connected is cut off, when the test ends.
func Database(t testing.TB) string {
	t.Helper()
	server.once.Do(func() { server.err = launch() })
	skipOrFail(t, server.err)
	name := "test_" + strings.ToLower(rand.Text())
	if err := execute("CREATE DATABASE " + name + " TEMPLATE " + server.template); err != nil {
		t.Fatalf("testpg: %v", err)
	}
	t.Cleanup(func() {
		if err := execute("DROP DATABASE " + name + " WITH (FORCE)"); err != nil {
			t.Errorf("testpg: %v", err)
		}
	})
	return databaseURL(name)
}

// skipOrFail ends the test when err is not nil. Only a missing PostgreSQL is a reason to skip,
// and only where nobody counts on the test.
func skipOrFail(t testing.TB, err error) {
	t.Helper()
	switch {
	case err == nil:
	case errors.Is(err, errMissing) && os.Getenv("CI") == "" && os.Getenv("REQUIRE_PG") == "":
		t.Skipf("testpg: %v", err)
	default:
		t.Fatalf("testpg: %v", err)
	}
}

// launch finds or starts the server and migrates the template that all databases are copied from.
func launch() error {
	dsn := os.Getenv("TEST_DATABASE_URL")
	if dsn == "" {
		cluster, err := newCluster(placeOfThrowaway(), throwaway, (*Cluster).initialise)
		if err != nil {
			return err
		}
		server.cluster, dsn = cluster, cluster.DSN()
	}
	base, err := url.Parse(dsn)
	if err != nil || base.Host == "" {
		return errors.New("TEST_DATABASE_URL is not of the form postgres://user:password@host:port/database")
	}
	server.base = *base
	if server.admin, err = sql.Open("pgx", dsn); err != nil {
		return err
	}
	name := "test_template_" + strings.ToLower(rand.Text())
	if err := execute("CREATE DATABASE " + name); err != nil {
		return err
	}
	server.template = name
	if server.migrate == nil {
		return nil
	}
	if err := server.migrate(databaseURL(name)); err != nil {
		return fmt.Errorf("migrate the template: %w", err)
	}
	return nil
}

// shutdown drops the template and stops the private server.
func shutdown() error {
	var faults []error
	if server.template != "" {
		faults = append(faults, execute("DROP DATABASE "+server.template+" WITH (FORCE)"))
	}
	if server.admin != nil {
		faults = append(faults, server.admin.Close())
	}
	if server.cluster != nil {
		faults = append(faults, server.cluster.remove())
	}
	return errors.Join(faults...)
}

func execute(statement string) error {
	ctx, cancel := context.WithTimeout(context.Background(), queryTimeout)
	defer cancel()
	if _, err := server.admin.ExecContext(ctx, statement); err != nil {
		return fmt.Errorf("%s: %w", statement, err)
	}
	return nil
}

func databaseURL(name string) string {
	u := server.base
	u.Path = "/" + name
	return u.String()
}
