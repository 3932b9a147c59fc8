package announce_test

import (
	"context"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"belfry/internal/testpg"
	"belfry/migrations"
	"belfry/services"
	"belfry/services/announce"
	"belfry/services/journal"
)

// patience is how long a test waits for what has to happen; only a failure takes it.
const patience = 30 * time.Second

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

func TestLocalHintsBecomeOne(t *testing.T) {
	t.Parallel()
	l := announce.NewLocal()
	for offset := range int64(100) {
		l.Announce("e", upTo(offset)) // nobody takes them, and nothing waits
	}
	<-l.Hints()
	select {
	case <-l.Hints():
		t.Error("hints that nobody took did not become one")
	default:
	}
	l.Announce("e", upTo(100))
	select {
	case <-l.Hints():
	default:
		t.Error("no hint after the last was taken")
	}
}

// upTo is what a journal announces when it has committed an entry.
func upTo(offset int64) []journal.Entry { return []journal.Entry{{Offset: offset}} }

// start runs an announcer and waits until it hears.
func start(t *testing.T, address string) *announce.Postgres {
	t.Helper()
	p := announce.NewPostgres(address, slog.New(slog.NewTextHandler(io.Discard, nil)))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); p.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		select {
		case <-done:
		case <-time.After(patience):
			t.Error("Run did not end with its context")
		}
	})
	awaitHint(t, p) // the one that says: read from the cursor now
	if !p.Healthy() {
		t.Error("not healthy after LISTEN")
	}
	return p
}

// announcer is one of those that reach other nodes.
type announcer interface {
	Hints() <-chan struct{}
	Healthy() bool
}

func awaitHint(t *testing.T, p announcer) {
	t.Helper()
	select {
	case <-p.Hints():
	case <-time.After(patience):
		t.Fatal("no hint came")
	}
}

// awaitHealth returns when the announcer has noticed.
func awaitHealth(t *testing.T, p announcer, want bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); p.Healthy() != want; <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("healthy is still %v", !want)
		}
	}
}

// drained takes hints until the announcer is quiet: a NOTIFY also comes back to who sent it.
func drained(t *testing.T, address string, all ...*announce.Postgres) {
	t.Helper()
	// Whatever was sent before this one is delivered before it.
	query(t, address, "SELECT pg_notify('belfry_log', '0')")
	for _, p := range all {
		awaitHint(t, p)
	}
}

func query(t *testing.T, address, statement string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}

func TestOneNodeTellsTheOther(t *testing.T) {
	t.Parallel()
	address := testpg.Database(t)
	a, b := start(t, address), start(t, address)
	for offset := int64(1); offset <= 5; offset++ {
		a.Announce("e", upTo(offset))
		awaitHint(t, b)
	}
	awaitHint(t, a) // itself, at once
	b.Announce("e", upTo(6))
	awaitHint(t, a)
}

func TestWhoIsAloneTellsNobody(t *testing.T) {
	t.Parallel()
	address := testpg.Database(t)
	a := start(t, address)
	conn, err := pgx.Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(t.Context(), "LISTEN belfry_log"); err != nil {
		t.Fatal(err)
	}
	a.Alone(true)
	a.Announce("e", upTo(1))
	awaitHint(t, a)               // itself, as ever
	query(t, address, "SELECT 1") // which takes longer than to tell
	a.Alone(false)
	a.Announce("e", upTo(2))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if heard, err := conn.WaitForNotification(ctx); err != nil || heard.Payload != "2" {
		t.Errorf("%+v, %v; want the second alone", heard, err)
	}
}

func TestAnotherDatabaseHearsNothing(t *testing.T) {
	t.Parallel()
	here, there := testpg.Database(t), testpg.Database(t)
	a, stranger := start(t, here), start(t, there)
	a.Announce("e", upTo(1))
	awaitHint(t, a)
	drained(t, here, a)
	select {
	case <-stranger.Hints():
		t.Error("a hint crossed over to another database")
	default:
	}
}

func TestListenAgainAfterACut(t *testing.T) {
	t.Parallel()
	address := testpg.Database(t)
	a, b := start(t, address), start(t, address)
	drained(t, address, a, b)
	for range 2 {
		query(t, address, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`)
		awaitHealth(t, a, false)
		awaitHealth(t, a, true)
		awaitHealth(t, b, true)
		// What happened while nobody listened: each is told to read from its cursor.
		awaitHint(t, a)
		awaitHint(t, b)
		a.Announce("e", upTo(7))
		awaitHint(t, b)
	}
}

func TestAddressThatIsNone(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(context.Background())
	p := announce.NewPostgres("postgres://user:hidden@[", slog.New(slog.NewTextHandler(io.Discard, nil)))
	done := make(chan struct{})
	go func() { defer close(done); p.Run(ctx) }()
	p.Announce("e", upTo(1))
	awaitHint(t, p) // this node at least
	cancel()
	<-done
	if p.Healthy() {
		t.Error("healthy without a connection")
	}
}
