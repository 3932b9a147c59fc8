package journal_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"belfry/internal/testpg"
	"belfry/services"
	"belfry/services/announce"
	"belfry/services/journal"
)

// TestPromotedStandbyHasANewEpoch moves running nodes to a standby that has everything: nothing else shows
// that what came after, on a primary that lagged, might have been lost.
func TestPromotedStandbyHasANewEpoch(t *testing.T) {
	t.Parallel()
	primary := testpg.NewCluster(t)
	must(t, migrate(primary.DSN()))
	standby := primary.Standby(t, primary.Address())
	address := "postgres://postgres@" + primary.Address() + "," + standby.Address() + "/postgres?sslmode=disable&target_session_attrs=read-write"
	a, b := open(t, address), open(t, address)
	fa, fb := a.follow(t, a.local.Hints()), b.follow(t, nil)
	before := a.append(t, draft("everyone", "before")).Offset
	fa.next(t, before)
	fb.next(t, before)
	replica, err := services.OpenDatabase(t.Context(), standby.DSN())
	must(t, err)
	await(t, "the standby", func() bool {
		var head int64
		must(t, replica.Read.Raw("SELECT head FROM log_head").Scan(&head).Error)
		return head == before
	})
	must(t, replica.Close())
	epoch := a.Epoch()
	must(t, primary.Kill())
	must(t, standby.Promote())
	fa.awaitLost(t)
	fb.awaitLost(t) // what comes before that would be passed over there: clients load it
	after := a.append(t, draft("everyone", "after")).Offset
	if after != before+1 {
		t.Errorf("%d comes after %d", after, before)
	}
	fa.next(t, after)
	fb.next(t, after)
	if len(fa.lost)+len(fb.lost) > 0 {
		t.Error("told more than once")
	}
	if a.Epoch() == epoch || a.Epoch() != b.Epoch() {
		t.Errorf("epoch %q, then %q on one node and %q on the other", epoch, a.Epoch(), b.Epoch())
	}
	if c := open(t, standby.DSN()); c.Epoch() != a.Epoch() {
		t.Errorf("one that comes later has %q in place of %q", c.Epoch(), a.Epoch())
	}
}

// TestAnotherIdentityChangesTheEpochOnce, however many nodes see it at once, one that starts among them.
func TestAnotherIdentityChangesTheEpochOnce(t *testing.T) {
	t.Parallel()
	address := testpg.Database(t)
	db, err := services.OpenDatabase(t.Context(), address)
	must(t, err)
	var made string // with the schema, when nobody had looked yet
	must(t, db.Read.Raw("SELECT epoch FROM log_head").Scan(&made).Error)
	must(t, db.Close())
	first := open(t, address)
	if first.number(t, "SELECT count(*) FROM log_head WHERE identity LIKE '%/00000001'") != 1 {
		t.Error("the first look did not leave where the log lies")
	}
	epochs := map[string]bool{made: true, first.Epoch(): true}
	nodes, followers := []*node{first}, []*follower{first.follow(t, nil)}
	for range 3 {
		n := open(t, address)
		nodes, followers = append(nodes, n), append(followers, n.follow(t, nil))
		epochs[n.Epoch()] = true
	}
	if len(epochs) != 1 {
		t.Fatalf("a first look, and looks at what has not changed, gave %d epochs", len(epochs))
	}
	// The row's own history, as a trigger keeps it: what nodes remember does not show an epoch that was there for a moment.
	first.run(t, "CREATE TABLE epochs (epoch text)")
	first.run(t, `CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
		'BEGIN IF new.epoch <> old.epoch THEN INSERT INTO epochs VALUES (new.epoch); END IF; RETURN new; END'`)
	first.run(t, "CREATE TRIGGER note BEFORE UPDATE ON log_head FOR EACH ROW EXECUTE FUNCTION note()")
	first.run(t, "UPDATE log_head SET identity = 'elsewhere/00000001'")
	late := open(t, address)
	offset := first.append(t, draft("everyone", "x")).Offset
	for i, f := range followers {
		f.awaitLost(t)
		if nodes[i].Epoch() != late.Epoch() || epochs[nodes[i].Epoch()] {
			t.Errorf("node %d has the epoch %q", i, nodes[i].Epoch())
		}
		if len(f.entries) > 0 {
			f.next(t, offset)
		}
	}
	if n := first.number(t, "SELECT count(*) FROM epochs"); n != 1 {
		t.Errorf("the epoch changed %d times", n)
	}
}

// TestDatabaseThatDoesNotSay: without the right to ask a node says so once, and works; the log being shorter
// is then what it goes by.
func TestDatabaseThatDoesNotSay(t *testing.T) {
	t.Parallel()
	address := testpg.Database(t)
	owner := open(t, address)
	role := "test_" + strings.ToLower(rand.Text())
	for _, statement := range []string{
		"CREATE ROLE " + role, "GRANT ALL ON ALL TABLES IN SCHEMA public TO " + role, "REVOKE EXECUTE ON FUNCTION pg_control_system FROM PUBLIC",
	} {
		owner.run(t, statement)
	}
	t.Cleanup(func() {
		// Before the connections of the test are closed, and so past its context.
		db, err := services.OpenDatabase(context.Background(), address)
		must(t, err)
		defer db.Close()
		must(t, db.Write.Exec("DROP OWNED BY "+role).Error)
		must(t, db.Write.Exec("DROP ROLE "+role).Error)
	})
	var said lockedBuffer
	db, err := services.OpenDatabase(t.Context(), address+"&role="+role)
	must(t, err)
	t.Cleanup(func() { must(t, db.Close()) })
	n := &node{db: db, local: announce.NewLocal()}
	n.Journal, err = journal.Open(t.Context(), db.Read, db.Write, n.local, slog.New(slog.NewTextHandler(&said, nil)))
	must(t, err)
	t.Cleanup(n.Close)
	f := n.follow(t, n.local.Hints())
	for i := range 3 {
		f.next(t, n.append(t, draft("everyone", i)).Offset)
	}
	epoch := n.Epoch()
	owner.run(t, "UPDATE log_head SET head = 1")
	f.awaitLost(t)
	if n.Epoch() == epoch {
		t.Error("a shorter log kept its epoch")
	}
	if times := strings.Count(said.String(), "does not say which cluster"); times != 1 {
		t.Errorf("said %d times:\n%s", times, said.String())
	}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}
func (l *lockedBuffer) String() string { l.mu.Lock(); defer l.mu.Unlock(); return l.b.String() }

// await looks until it holds.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !holds(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}
