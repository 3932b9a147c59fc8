package faults_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"belfry/bench/stream"
	"belfry/internal/testpg"
)

// rollHerd replaces both nodes under 5,000 streams, one after the other. Those that are sent away come back
// spread over the drain time and what they were told to wait, and not all at once.
func rollHerd(t *testing.T, line *row) {
	const (
		people, each = 200, 25
		streams      = people * each
		drain        = 10 * time.Second
	)
	w := newWorld(t, site{people: people, rate: 50, herd: each, cluster: testpg.NewCluster(t), settings: "DRAIN=" + drain.String()})
	w.publish()
	began := time.Now()
	for i, node := range w.nodes {
		if err := node.Process().Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if err := node.Process().Await(drain + 5*time.Second); err != nil {
			t.Fatal(err)
		}
		if code := node.Process().ExitCode(); code != 0 {
			line.breaks(broken, node.Base, "exit %d after SIGTERM", code)
		}
		node.MustStart()
		line.recovers(w.load)
		tell("  node %c replaced after %.1f s\n", 'A'+i, time.Since(began).Seconds())
	}
	reopened := w.openedSince(began)
	line.note = fmt.Sprintf("%d streams, %d reconnects; in each second: %v", streams, len(reopened), perSecond(reopened, began))
	if most := slices.Max(perSecond(reopened, began)); most > streams/4 {
		line.breaks(broken, "herd", "%d reconnects within a second", most)
	}
	if len(reopened) < streams/2 {
		line.breaks(broken, "herd", "only %d reconnects: the restart missed most", len(reopened))
	}
	b, wrong, _ := w.end()
	line.add(b, wrong)
}

// perSecond counts moments in each second since the first.
func perSecond(moments []time.Time, since time.Time) []int {
	counts := []int{0}
	for _, at := range moments {
		for second := int(at.Sub(since).Seconds()); len(counts) <= second; {
			counts = append(counts, 0)
		}
		counts[int(at.Sub(since).Seconds())]++
	}
	return counts
}

// overtake keeps entries so shortly that clients who are away for a minute cannot be told what they missed.
func overtake(t *testing.T, line *row) {
	w := newWorld(t, site{people: fewPeople, rate: lowRate, cluster: testpg.NewCluster(t), settings: "RETENTION=5s"})
	w.publish()
	w.awaitAcks(lowRate)
	door := w.nodes[0].door
	door.Stop()
	away := headOf(t, w.admin)
	const trimmedWithin = 2 * time.Minute // nodes look ten times in the retention, once a minute at the least
	if !within(trimmedWithin, func() bool {
		time.Sleep(100 * time.Millisecond)
		var trimmed int64
		return w.admin.QueryRow("SELECT trimmed FROM log_head").Scan(&trimmed) == nil && trimmed > away.offset+int64(lowRate)
	}) {
		t.Fatalf("nothing was trimmed within %v", trimmedWithin)
	}
	if err := door.Start(); err != nil {
		t.Fatal(err)
	}
	line.recovers(w.load)
	line.add(w.close(nil)) // inboxes hold what is left, which proves nothing
	told := 0
	for reader, book := range w.books {
		was := reader[len(reader)-2:] == "/1" // at the node whose door was shut
		if was && len(book.resets) == 0 || !was && len(book.resets) > 0 {
			line.breaks(gap, reader, "got %d resets", len(book.resets))
		}
		told += len(book.resets)
	}
	line.note = fmt.Sprintf("%d streams were told by reset", told)
}

// raceOpenings opens streams while letters are on their way: whatever comes after the id that a stream begins
// with has to come on it.
func raceOpenings(t *testing.T, line *row) {
	w := newWorld(t, site{people: users, rate: 3 * lowRate, cluster: testpg.NewCluster(t)})
	w.publish()
	var mu sync.Mutex
	var visits []visit
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	var visiting sync.WaitGroup
	for k := range 8 {
		dice := rand.New(rand.NewPCG(w.seed, uint64(prober+k)))
		visiting.Go(func() {
			for ctx.Err() == nil {
				v := w.visit(ctx, w.people[dice.IntN(len(w.people))], w.nodes[dice.IntN(2)], dice.IntN(20))
				mu.Lock()
				visits = append(visits, v)
				mu.Unlock()
			}
		})
	}
	visiting.Wait()
	line.recovers(w.load)
	b, wrong, _ := w.end()
	line.add(b, wrong)
	seen := 0
	for _, v := range visits {
		seen += len(v.got)
		for which, s := range w.sent {
			if s.outcome != unknown && s.outcome != refused && isFor(s.to, v.user) && s.at.offset > v.from && s.at.offset <= v.to && !v.got[s.at.offset] {
				line.breaks(gap, v.user, "a stream from %d to %d passed over %v at %v", v.from, v.to, which, s.at)
			}
		}
	}
	line.injected = len(visits)
	line.note = fmt.Sprintf("%d streams got %d letters", len(visits), seen)
	if seen < len(visits) {
		t.Errorf("%d streams got only %d letters: there was no race", len(visits), seen)
	}
}

// visit is one short stream: where it began, where it ended, and what came.
type visit struct {
	user     string
	from, to int64
	got      map[int64]bool
}

func (w *world) visit(ctx context.Context, user string, node *member, letters int) visit {
	v := visit{user: user, from: -1, got: map[int64]bool{}}
	_ = stream.New(node.Base, "/sse/notice", w.cookies[user].Cookie).Once(ctx, func(e stream.Event) bool {
		switch e.Name {
		case "hello":
			v.from = positionOf(e.ID).offset
			v.to = v.from
		case "notice":
			v.to = positionOf(e.ID).offset
			v.got[v.to] = true
		}
		return len(v.got) <= letters
	})
	return v
}
