package journal_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"belfry/internal/testpg"
	"belfry/migrations"
	"belfry/services"
	"belfry/services/announce"
	"belfry/services/journal"
)

// patience is how long a test waits for what has to happen. It is no measure: only a failure takes it.
const patience = 20 * time.Second

type suite struct{ *testing.M }

func (s suite) Run() int { return testpg.Run(s.M, migrate) }

func TestMain(m *testing.M) { goleak.VerifyTestMain(suite{m}) }

// migrate brings the database at the address to the newest schema.
func migrate(address string) error {
	db, err := services.OpenDatabase(context.Background(), address)
	if err != nil {
		return err
	}
	defer db.Close()
	provider, err := migrations.Provider(db.Dialect, db.SQL())
	if err != nil {
		return err
	}
	_, err = provider.Up(context.Background())
	return err
}

// sqliteFile is an empty migrated database, made once and copied for each test.
var sqliteFile = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "belfry-journal-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "template.db")
	if err := migrate("sqlite:" + path); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
})

func sqliteAddress(t testing.TB) string {
	t.Helper()
	file, err := sqliteFile()
	must(t, err)
	path := filepath.Join(t.TempDir(), "belfry.db")
	must(t, os.WriteFile(path, file, 0o600))
	return "sqlite:" + path
}

// onBoth runs a test against a new database of each kind.
func onBoth(t *testing.T, test func(t *testing.T, n *node)) {
	t.Parallel()
	t.Run(services.SQLite, func(t *testing.T) { t.Parallel(); test(t, open(t, sqliteAddress(t))) })
	t.Run(services.Postgres, func(t *testing.T) { t.Parallel(); test(t, open(t, testpg.Database(t))) })
}

// node is a journal with a database connection of its own, as each process has.
type node struct {
	*journal.Journal
	db    *services.Database
	local *announce.Local
}

func open(t testing.TB, address string) *node {
	t.Helper()
	db, err := services.OpenDatabase(t.Context(), address)
	must(t, err)
	t.Cleanup(func() { must(t, db.Close()) })
	n := &node{db: db, local: announce.NewLocal()}
	n.Journal, err = journal.Open(t.Context(), db.Read, db.Write, n.local, slog.New(slog.NewTextHandler(io.Discard, nil)))
	must(t, err)
	t.Cleanup(n.Close)
	return n
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// run executes a statement past the journal.
func (n *node) run(t testing.TB, statement string, args ...any) {
	t.Helper()
	must(t, n.db.Write.WithContext(t.Context()).Exec(statement, args...).Error)
}

// number reads one number from the database.
func (n *node) number(t testing.TB, query string, args ...any) (value int64) {
	t.Helper()
	must(t, n.db.Read.WithContext(t.Context()).Raw(query, args...).Scan(&value).Error)
	return value
}

func (n *node) append(t testing.TB, d journal.Draft) journal.Receipt {
	t.Helper()
	r, err := n.appendOne(t.Context(), d)
	must(t, err)
	return r
}

func (n *node) appendOne(ctx context.Context, d journal.Draft) (journal.Receipt, error) {
	receipts, err := n.Append(ctx, d)
	if err != nil {
		return journal.Receipt{}, err
	}
	return receipts[0], nil
}

// draft is an entry for one audience whose payload tells it from others.
func draft(audience string, name any) journal.Draft {
	return journal.Draft{Kind: "test", Actor: "user:1", Audiences: []string{audience}, Payload: fmt.Appendf(nil, `{"name":"%v"}`, name)}
}

// follower is what a running Follow hands on.
type follower struct {
	entries chan journal.Entry
	lost    chan struct{}
}

func (n *node) follow(t *testing.T, hints <-chan struct{}) *follower {
	t.Helper()
	f := &follower{entries: make(chan journal.Entry, 10_000), lost: make(chan struct{}, 10)}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		n.Follow(ctx, hints, func(e journal.Entry) { f.entries <- e }, func(journal.Head) { f.lost <- struct{}{} })
	})
	t.Cleanup(func() { cancel(); wg.Wait() })
	return f
}

// next waits for the entry that comes now and holds it to its place in the log.
func (f *follower) next(t *testing.T, offset int64) journal.Entry {
	t.Helper()
	select {
	case e := <-f.entries:
		if e.Offset != offset {
			t.Fatalf("entry %d came where %d was due", e.Offset, offset)
		}
		return e
	case <-time.After(patience):
		t.Fatalf("entry %d did not come", offset)
		return journal.Entry{}
	}
}

func (f *follower) awaitLost(t *testing.T) {
	t.Helper()
	select {
	case <-f.lost:
	case <-time.After(patience):
		t.Fatal("the follower was not told that positions are void")
	}
}

// stall keeps every append waiting until the returned function is called.
func (n *node) stall(t *testing.T) (release func()) {
	t.Helper()
	tx := n.db.Write.Begin() // on SQLite this takes the one connection that writes
	must(t, tx.Error)
	if n.db.Dialect == services.Postgres {
		must(t, tx.Exec("SELECT pg_advisory_xact_lock(822301)").Error)
	}
	return func() { t.Helper(); must(t, tx.Rollback().Error) }
}
