package services

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"belfry/internal/testpg"
	"belfry/migrations"
	"belfry/models"
	"belfry/services/announce"
	"belfry/services/hub"
	"belfry/services/journal"
)

// patience is how long a test waits for what has to happen. It is no measure: only a failure takes it.
const patience = 20 * time.Second

const password = "correct horse"

type suite struct{ *testing.M }

func (s suite) Run() int { return testpg.Run(s.M, migrate) }

func TestMain(m *testing.M) { goleak.VerifyTestMain(suite{m}) }

// migrate brings the database at the address to the newest schema.
func migrate(address string) error {
	db, err := OpenDatabase(context.Background(), address)
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
	dir, err := os.MkdirTemp("", "belfry-services-")
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

// onBoth runs a test on a node of its own over a new database of each kind.
func onBoth(t *testing.T, test func(t *testing.T, n *node), settings ...setting) {
	t.Parallel()
	t.Run(SQLite, func(t *testing.T) { t.Parallel(); test(t, newNode(t, sqliteAddress(t), settings...)) })
	t.Run(Postgres, func(t *testing.T) { t.Parallel(); test(t, newNode(t, testpg.Database(t), settings...)) })
}

// onBothAlone is onBoth for what would be too slow beside other tests of this package.
func onBothAlone(t *testing.T, test func(t *testing.T, n *node)) {
	t.Run(SQLite, func(t *testing.T) { test(t, newNode(t, sqliteAddress(t))) })
	t.Run(Postgres, func(t *testing.T) { test(t, newNode(t, testpg.Database(t))) })
}

// node is one server without its HTTP.
type node struct {
	*Streams
	db          *Database
	statements  *atomic.Int64 // that were sent to it
	journal     *journal.Journal
	tokens      *Tokens
	throttle    *Throttle
	factors     *Factors
	sessions    *Sessions
	passkeys    *Passkeys
	users       *Users
	groups      *Groups
	keys        *Keys
	notices     *Notices
	tasks       *Tasks
	search      *Search
	recipients  *Recipients
	preferences *Preferences
	house       *Housekeeping
	background  context.Context
	deafen      func() // ends Follow
}

// testHasher costs next to nothing; what a hash is worth is not the question here.
var testHasher = sync.OnceValue(func() *Hasher {
	return NewHasher(HashCost{Memory: 8, Passes: 1, Lanes: 1})
})

var testLimits = models.SessionLimits{Idle: 15 * time.Minute, Max: 12 * time.Hour, Warning: time.Minute}

// setting changes a node before it begins.
type setting func(limits *models.SessionLimits, streams *StreamSettings)

func newNode(t testing.TB, address string, settings ...setting) *node {
	t.Helper()
	ctx := t.Context()
	limits := testLimits
	streams := StreamSettings{Heartbeat: time.Hour, PerUser: 32, Drain: time.Second}
	for _, set := range settings {
		set(&limits, &streams)
	}
	db, err := OpenDatabase(ctx, address)
	must(t, err)
	t.Cleanup(func() { must(t, db.Close()) })
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	local := announce.NewLocal()
	n := &node{db: db, statements: countStatements(t, db)}
	n.journal, err = journal.Open(ctx, db.Read, db.Write, local, log)
	must(t, err)
	t.Cleanup(n.journal.Close)
	ring, err := NewKeyring(ctx, db, nil)
	must(t, err)
	n.tokens = NewTokens(ring, limits.Max, time.Minute)
	n.throttle = NewThrottle(models.Rate{Count: 10, Per: time.Minute}, time.Now)
	n.factors = NewFactors(db, NewVault(ring), n.throttle, "belfry.example")
	n.sessions = NewSessions(db, n.journal, testHasher(), n.tokens, n.throttle, n.factors, limits, log)
	n.passkeys = NewPasskeys(db, n.sessions, homepage, log)
	n.users, n.groups, n.keys = NewUsers(db, n.journal, testHasher()), NewGroups(db, n.journal), NewKeys(db, n.journal, NewVault(ring))
	n.notices, n.recipients = NewNotices(db, n.journal), NewRecipients(db)
	n.search = NewSearch(db, n.journal, log)
	n.preferences = NewPreferences(db, n.journal)
	n.tasks = NewTasks(db, n.journal, n.notices, local)
	n.house = NewHousekeeping(db, n.journal, n.sessions, n.notices, n.tasks, Keeping{Log: time.Hour, Audit: time.Hour}, log)
	n.Streams = NewStreams(db, n.journal, hub.New(n.journal.Cursor(), hub.RecentEntries), n.sessions, n.notices, streams, log)
	background, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { n.Follow(background, local.Hints()) })
	wg.Go(func() { n.tasks.Follow(background, local.Growths()) })
	n.background, n.deafen = background, cancel
	t.Cleanup(func() { n.CloseAll(); cancel(); wg.Wait() })
	return n
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// got gives a value that came without an error.
func got[T any](value T, err error) func(t testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		must(t, err)
		return value
	}
}

// refused holds an error to its code.
func refused(t testing.TB, what string, err error, code models.Code) models.Error {
	t.Helper()
	if err == nil || codeOf(err) != code {
		t.Errorf("%s: %v, want %s", what, err, code)
	}
	if e, ok := errors.AsType[*models.Error](err); ok {
		return *e
	}
	return models.Error{}
}

// codeOf tells a passing fault apart from one of ours, as the API does.
func codeOf(err error) models.Code {
	if models.CodeOf(err) == models.CodeInternal && IsPassing(err) {
		return models.CodeUnavailable
	}
	return models.CodeOf(err)
}

// run executes a statement past the services; it is how tests let time pass. No entry tells of it, so what
// is kept in memory is dropped.
func (n *node) run(t testing.TB, statement string, args ...any) {
	t.Helper()
	must(t, n.db.Write.WithContext(t.Context()).Exec(statement, args...).Error)
	n.journal.Forget()
}

func (n *node) number(t testing.TB, query string, args ...any) (value int64) {
	t.Helper()
	must(t, n.db.Write.WithContext(t.Context()).Raw(query, args...).Scan(&value).Error)
	return value
}

// person adds a user who signs in with the common password.
func (n *node) person(t testing.TB, name string) *models.User {
	t.Helper()
	return got(n.users.Add(t.Context(), NewUser{Username: name, Password: password}))(t)
}

// signIn begins a session and gives it with its cookie.
func (n *node) signIn(t testing.TB, name string) (*Live, string) {
	t.Helper()
	l, cookie, err := n.sessions.Login(t.Context(), Credentials{Username: name, Password: password}, Client{IP: "127.0.0.1", UserAgent: "test"}, nil)
	must(t, err)
	return l, cookie
}

// resolve reads the session of a cookie as a request would.
func (n *node) resolve(t testing.TB, cookie string) *Live {
	t.Helper()
	return got(n.sessions.Resolve(t.Context(), cookie))(t)
}

// system is another system that may publish to everybody.
func (n *node) system(t testing.TB) *Principal {
	t.Helper()
	key, _, err := n.keys.Create(t.Context(), KeySpec{Name: "system", Scopes: []models.Scope{models.ScopeNoticesWrite}})
	must(t, err)
	return &Principal{Key: key}
}

func (n *node) publish(t testing.TB, p *Principal, to Target, c models.NoticeContent) Published {
	t.Helper()
	return got(n.notices.Publish(t.Context(), p, Outgoing{To: to, Content: c}))(t)
}

// idle lets a session's last activity lie further back.
func (n *node) idle(t testing.TB, session string, by time.Duration) {
	t.Helper()
	n.run(t, "UPDATE sessions SET last_active_at = last_active_at - ? WHERE id = ?", by.Milliseconds(), session)
}

// age lets a whole session lie further back.
func (n *node) age(t testing.TB, session string, by time.Duration) {
	t.Helper()
	n.run(t, "UPDATE sessions SET created_at = created_at - ? WHERE id = ?", by.Milliseconds(), session)
}

// locks gives the payloads of a session's lock entries, oldest first.
func (n *node) locks(t testing.TB, session string) (payloads []string) {
	t.Helper()
	must(t, n.db.Write.Raw("SELECT payload FROM entries WHERE kind = 'lock' AND audiences = ? ORDER BY log_offset", lockAudience(session)).Scan(&payloads).Error)
	return payloads
}

// atOnce runs the same n times at once.
func atOnce(n int, do func(i int)) {
	var wg sync.WaitGroup
	begin := make(chan struct{})
	for i := range n {
		wg.Go(func() { <-begin; do(i) })
	}
	close(begin)
	wg.Wait()
}

func titled(format string, args ...any) models.NoticeContent {
	return models.NoticeContent{Title: fmt.Sprintf(format, args...)}
}
