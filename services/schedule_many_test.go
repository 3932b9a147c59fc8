package services

import (
	"context"
	"encoding/json"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"belfry/internal/testpg"
	"belfry/models"
)

// TestManyAreDueAtOnce: 5,000 (or SCHEDULED=n) in the same second, with two nodes that release, or the one that SQLite has: each
// once, in the order of their times, and 99 of 100 within 5 s on a machine that has nothing else to do.
//
//	SCHEDULED=100000 go test ./services -run TestManyAreDueAtOnce -v
func TestManyAreDueAtOnce(t *testing.T) {
	t.Parallel()
	many := 5000
	if given := os.Getenv("SCHEDULED"); given != "" {
		many = got(strconv.Atoi(given))(t)
	}
	ahead := 500*time.Millisecond + time.Duration(many/moved)*time.Millisecond
	onNodes(t, func(t *testing.T, nodes ...*node) {
		limit := patience
		if os.Getenv("SCHEDULED") != "" {
			limit = 5 * time.Second
		}
		if p99 := releaseMany(t, many, ahead, nodes); p99 > limit {
			t.Error("too late")
		}
	})
}

// TestManyAreOverdue: more than several transactions take have waited for a node to come back; each is released once, in the
// order of their times.
func TestManyAreOverdue(t *testing.T) {
	t.Parallel()
	onNodes(t, func(t *testing.T, nodes ...*node) { releaseMany(t, 2*releaseBatch+releaseBatch/2, -time.Minute, nodes) })
}

// onNodes runs a test on as many nodes as release there: two on PostgreSQL, the one of SQLite.
func onNodes(t *testing.T, test func(t *testing.T, nodes ...*node)) {
	t.Run(SQLite, func(t *testing.T) { t.Parallel(); test(t, newNode(t, sqliteAddress(t))) })
	t.Run(Postgres, func(t *testing.T) {
		t.Parallel()
		address := testpg.Database(t)
		test(t, newNode(t, address), newNode(t, address))
	})
}

// releaseMany has notices released that are due within a second, holds that each came once and in order, and tells how late 99
// of 100 were at most.
func releaseMany(t *testing.T, many int, ahead time.Duration, nodes []*node) (p99 time.Duration) {
	t.Helper()
	first := nodes[0]
	began := first.scheduleMany(t, many, ahead)
	head := first.journal.Committed()
	ctx, cancel := context.WithTimeout(t.Context(), patience+time.Minute)
	var keeping sync.WaitGroup
	for _, n := range nodes {
		keeping.Go(func() { n.house.release(ctx) })
	}
	for _, n := range nodes {
		must(t, n.hub.Await(ctx, head+int64(many)))
	}
	took := time.Duration(got(first.db.clock(t.Context()))(t)-began)*time.Millisecond - time.Second
	cancel()
	keeping.Wait()

	var rows []struct {
		Payload string
		At      models.Instant
	}
	must(t, first.db.Read.Raw("SELECT payload, created_at AS at FROM entries WHERE kind = 'notice' ORDER BY log_offset").Scan(&rows).Error)
	if each := first.number(t, "SELECT count(DISTINCT subject) FROM entries WHERE kind = 'notice'"); len(rows) != many || each != int64(many) {
		t.Fatalf("%d entries of %d notices", len(rows), each)
	}
	late, before := make([]time.Duration, many), models.Instant(0)
	for i, r := range rows {
		var c models.NoticeContent
		must(t, json.Unmarshal([]byte(r.Payload), &c))
		due := began + models.Instant(got(strconv.Atoi(c.Title))(t))
		if late[i] = time.Duration(r.At-due) * time.Millisecond; late[i] < 0 || due < before {
			t.Fatalf("number %d was due at %d, after %d, and came at %d", i, due, before, r.At)
		}
		before = due
	}
	slices.Sort(late)
	p99 = late[many*99/100]
	t.Logf("%d in one second: half of them within %v, 99 of 100 within %v, all within %v; every node had them %v after that second",
		many, late[many/2], p99, late[many-1], took)
	return p99
}

// moved is how many scheduleMany moves in a millisecond at least.
const moved = 20

// scheduleMany spreads notices for one person over one second, in no order, and moves that second to where it begins so far
// ahead, or behind. The title of each is how far in it lies.
func (n *node) scheduleMany(t testing.TB, many int, ahead time.Duration) (began models.Instant) {
	t.Helper()
	system := n.system(t)
	n.person(t, "ann")
	at := *n.in(t, time.Hour)
	for from := 0; from < many; from += MaxBatch {
		batch := make([]Outgoing, min(MaxBatch, many-from))
		for i := range batch {
			into := (from + i) * 7919 % 1000
			batch[i] = Outgoing{To: Target{Users: []string{"ann"}}, Content: titled("%d", into), DeliverAt: new(at + models.Instant(into))}
		}
		_, faults, err := n.notices.PublishAll(t.Context(), system, batch)
		must(t, err)
		for _, fault := range faults {
			must(t, fault)
		}
	}
	began = *n.in(t, ahead)
	n.run(t, "UPDATE schedules SET deliver_at = deliver_at - ?", at-began)
	return began
}
