package handlers_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"belfry/internal/testpg"
	"belfry/models"
	"belfry/services"
)

const (
	expiring   = 1_000
	expiryLead = 4 * time.Second // in which all rows are written and all streams opened
	// expiryLimit is no measure but what a stalled machine may take; how late they were is reported.
	expiryLimit = 20 * time.Second
)

// told is when a stream said that its session is locked.
type told struct {
	session int
	at      time.Time
}

// TestExpiryOfManyAtOnce: 1,000 sessions fall idle within one second, each with a stream open on both of two nodes. None
// is locked early, each is told on both streams, and of each there is one entry in the log.
//
// Security: S6, L11, L12
func TestExpiryOfManyAtOnce(t *testing.T) {
	t.Parallel()
	address := testpg.Database(t)
	change := func(set *settings) { set.limits.Warning, set.streams.PerUser = time.Millisecond, 2*expiring }
	nodes := [2]*site{newSite(t, address, change), newSite(t, address, change)}
	nodes[0].addUser("anna", models.RoleUser)
	people := make([]*client, expiring)
	for i := range people {
		people[i] = nodes[0].login("anna")
	}
	for lead := expiryLead; ; lead *= 2 {
		begins := models.InstantOf(time.Now().Add(lead))
		due := func(i int) time.Time { return (begins + models.Instant(i%1000)).Time() }
		var rows []string
		var values []any
		for i, c := range people {
			rows = append(rows, "(?::text, ?::bigint)")
			values = append(values, c.id, due(i).Add(-nodes[0].settings.limits.Idle).UnixMilli())
		}
		nodes[0].exec("UPDATE sessions SET state = 'active', reason = NULL, last_active_at = fresh.at FROM (VALUES "+
			strings.Join(rows, ", ")+") AS fresh(id, at) WHERE sessions.id = fresh.id", values...)
		nodes[1].journal.Forget()
		events, hangUp := listen(nodes, people)
		if time.Now().Before(due(0)) {
			lateness(t, events, due)
			hangUp()
			break
		}
		hangUp()
		if lead > 8*expiryLead {
			t.Fatalf("%d streams are not open within %v", 2*expiring, lead)
		}
		nodes[0].exec("DELETE FROM entries WHERE kind = 'lock'")
	}
	const once = `SELECT count(*) FROM (SELECT audiences FROM entries WHERE kind = 'lock' GROUP BY audiences HAVING count(*) = 1) each_once`
	if each, all := nodes[0].number(once), nodes[0].number("SELECT count(*) FROM entries WHERE kind = 'lock'"); each != expiring || all != expiring {
		t.Errorf("%d entries, %d sessions with exactly one; want %d of both", all, each, expiring)
	}
}

// listen opens a stream of each session on each node, and tells of each that says it is locked.
func listen(nodes [2]*site, people []*client) (<-chan told, func()) {
	events := make(chan told, 2*len(people))
	ctx, cancel := context.WithCancel(context.Background())
	var serving, opening sync.WaitGroup
	const atOnce = 8
	for worker := range atOnce {
		opening.Go(func() {
			for i := worker; i < 2*len(people); i += atOnce {
				session, node := i/2, nodes[i%2]
				var open services.Opening
				for deadline := time.Now().Add(patience); open.Stream == nil; { // a busy server sends some away for a while
					var err error
					if open, err = node.server.Streams.Open(ctx, services.StreamRequest{Cookie: people[session].cookie, Wants: services.ClassAll}); err != nil || time.Now().After(deadline) {
						node.Errorf("session %d: no stream: %v", session, err)
						return
					}
				}
				serving.Go(func() {
					_ = open.Stream.Serve(ctx, open.First, func(b []byte) error {
						if bytes.Contains(b, []byte(`"state":"locked","reason"`)) {
							events <- told{session, time.Now()}
						}
						return ctx.Err()
					})
				})
			}
		})
	}
	opening.Wait()
	return events, func() { cancel(); serving.Wait() }
}

// lateness waits for every stream of every session, and reports how late they were told.
func lateness(t *testing.T, events <-chan told, due func(int) time.Time) {
	t.Helper()
	var late []time.Duration
	times := make([]int, expiring)
	limit := time.After(time.Until(due(expiring-1)) + expiryLimit)
	for len(late) < 2*expiring {
		select {
		case e := <-events:
			times[e.session]++
			late = append(late, e.at.Sub(due(e.session)))
		case <-limit:
			t.Fatalf("%d of %d streams were told", len(late), 2*expiring)
		}
	}
	slices.Sort(late)
	if late[0] < 0 {
		t.Errorf("told %v early", -late[0])
	}
	for session, n := range times {
		if n != 2 {
			t.Errorf("session %d was told %d times on two streams", session, n)
		}
	}
	at := func(share float64) time.Duration {
		return late[int(share*float64(len(late)-1))].Round(100 * time.Microsecond)
	}
	report(t, "expiry", fmt.Sprintf("%d sessions locked within a second, streams on two nodes: median %v late, p99 %v, worst %v\n", expiring, at(0.5), at(0.99), at(1)))
}

// report logs what a test found, and leaves it where TEST_REPORTS asks for it.
func report(t testing.TB, name, text string) {
	t.Helper()
	t.Log(text)
	if folder := os.Getenv("TEST_REPORTS"); folder != "" {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Error(err)
		}
	}
}
