package services

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"belfry/internal/testpg"
	"belfry/models"
	"belfry/services/hub"
	"belfry/services/tracing"
)

// reports has a node say how it is until the test ends.
func (n *node) reports(t *testing.T, name string) *Nodes {
	t.Helper()
	nodes := NewNodes(n.db, n.journal, n.Streams, name, "test", tracing.NewLevel(slog.LevelWarn), slog.New(slog.NewTextHandler(io.Discard, nil)))
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { nodes.Run(ctx) })
	t.Cleanup(func() { cancel(); running.Wait() })
	return nodes
}

// fan is all streams of one person, and how many notices those got together.
type fan struct {
	got     atomic.Int64
	reading sync.WaitGroup
	stop    context.CancelFunc
	ctx     context.Context //nolint:containedctx // of the readers, which the test ends
}

// read reads a stream of notices, and comes back with its place when it was cut; before it takes large ones it waits for the
// gate, which is open afterwards.
func (f *fan) read(t *testing.T, n *node, cookie, position string, gate <-chan struct{}) *Stream {
	opening, err := n.Open(t.Context(), StreamRequest{Cookie: cookie, Wants: ClassNotice, Position: position})
	if err != nil {
		t.Error(err)
		return nil
	}
	f.reading.Go(func() {
		last := position
		_ = opening.Stream.Serve(f.ctx, opening.First, func(b []byte) error {
			events := parseEvents(t, b)
			if events[0].name == "notice" && len(b) > 16<<10 {
				select {
				case <-gate:
				case <-f.ctx.Done():
					return errGone
				}
			}
			if opening.Stream.conn.Cause() == hub.CauseOverflow {
				return errGone // as a socket that was hung up
			}
			for _, e := range events {
				if e.name == "notice" {
					f.got.Add(1)
				}
				if e.id != "" {
					last = e.id
				}
			}
			return nil
		})
		if f.ctx.Err() == nil {
			f.read(t, n, cookie, last, gate)
		}
	})
	return opening.Stream
}

// fans are two people with quick streams on each node and a slow one on the last.
type fans struct {
	nodes []*node
	known []*Nodes
	names []string
	ids   []int64
	of    map[string]*fan
	slow  []*Stream
	gate  chan struct{} // closed when the slow may read
}

func newFans(t *testing.T, first *node) *fans {
	f := &fans{nodes: []*node{first}, known: []*Nodes{first.reports(t, "first")}, names: []string{"anna", "ben"}, of: map[string]*fan{}, gate: make(chan struct{})}
	if first.db.Dialect == Postgres {
		second := newNodeOn(t, first)
		f.nodes, f.known = append(f.nodes, second), append(f.known, second.reports(t, "second"))
	}
	open := make(chan struct{})
	close(open)
	for _, name := range f.names {
		f.ids = append(f.ids, first.person(t, name).ID)
		_, cookie := first.signIn(t, name)
		p := &fan{}
		p.ctx, p.stop = context.WithCancel(context.Background())
		t.Cleanup(func() { p.stop(); p.reading.Wait() })
		f.of[name] = p
		for _, n := range f.nodes {
			p.read(t, n, cookie, "", open)
			p.read(t, n, cookie, "", open)
		}
		f.slow = append(f.slow, p.read(t, f.nodes[len(f.nodes)-1], cookie, "", f.gate))
	}
	return f
}

// have waits until each stream of everybody has so many notices.
func (f *fans) have(t *testing.T, notices int64) {
	t.Helper()
	for _, name := range f.names {
		f.nodes[0].eventually(t, name+" has everything", func() bool {
			f.balance(t)
			return f.of[name].got.Load() == notices*int64(2*len(f.nodes)+1)
		})
	}
}

// balance holds the accounts to it that what was to be written is what became of it.
func (f *fans) balance(t *testing.T) {
	t.Helper()
	for _, n := range f.nodes {
		for _, d := range []Delivered{{n.hub.Stats().Account, n.resets.total()}, n.Delivered(f.ids[0]), n.Delivered(f.ids[1])} {
			if d.Queued+d.Replayed != d.Written+d.Withdrawn+d.Dropped+d.Waiting || d.Waiting < 0 {
				t.Errorf("%+v", d)
			}
		}
	}
}

// TestDeliveriesAddUp over two nodes, where there may be two, and under load, with readers that do not keep up: what was to be
// written to the streams of a person is what became of it, at every moment; what was written is what they got; and everybody's
// together are the nodes'.
func TestDeliveriesAddUp(t *testing.T) {
	onBoth(t, func(t *testing.T, first *node) {
		f := newFans(t, first)
		const each = 60 // notices of 16 KiB to each person, and to everyone
		system, body := first.system(t), strings.Repeat("x", 16<<10)
		first.publish(t, system, Target{Everyone: true}, titled("so that all are known to be there"))
		f.have(t, 1)
		for range each {
			for _, to := range []Target{{Users: f.names[:1]}, {Users: f.names[1:]}, {Everyone: true}} {
				first.publish(t, system, to, models.NoticeContent{Title: "x", Body: body})
				f.balance(t)
			}
		}
		for _, st := range f.slow {
			first.eventually(t, "the slow are cut", func() bool { return st.conn.Cause() == hub.CauseOverflow })
		}
		close(f.gate)
		f.have(t, 2*each+1)
		var sum Delivered
		for _, name := range f.names {
			var p *PersonDelivered
			first.eventually(t, "all nodes are known and nothing waits", func() bool {
				var err error
				p, err = f.known[0].DeliveredTo(t.Context(), name)
				must(t, err)
				return len(f.known[0].Reports()) == len(f.nodes) && len(p.Silent) == 0 && p.Delivered.Waiting == 0 && p.Delivered.Written == f.of[name].got.Load()
			})
			if p.Stored != 2*each+1 || p.Delivered.Evicted == 0 || p.Delivered.Replayed == 0 || p.Delivered.Dropped == 0 ||
				p.Delivered.Queued+p.Delivered.Replayed != p.Delivered.Written+p.Delivered.Dropped {
				t.Errorf("%+v", p)
			}
			sum.Add(p.Delivered.Account)
		}
		first.eventually(t, "the nodes' reports add up", func() bool {
			var all Delivered
			var stored int64
			for _, r := range f.known[0].Reports() {
				all.Add(r.Delivered.Account)
				stored += r.Stored
			}
			return all == sum && stored == 3*each+1
		})
	})
}

// TestNodesTellEachOther: one that leaves, or that is killed, is not asked any more; one that does not answer is named.
func TestNodesTellEachOther(t *testing.T) {
	t.Parallel()
	first := newNode(t, testpg.Database(t))
	second := newNodeOn(t, first)
	one, two := first.reports(t, "one"), NewNodes(second.db, second.journal, second.Streams, "two", "test", tracing.NewLevel(slog.LevelInfo), second.log)
	must(t, two.beat(t.Context()))
	first.eventually(t, "the second is seen", func() bool { return len(one.Reports()) == 2 })
	list, err := one.Streams(t.Context(), "", 10) // and the second is at no beat meanwhile
	if err != nil || len(list.Streams) != 0 || strings.Join(list.Silent, "") != "two" {
		t.Errorf("%+v: %v", list, err)
	}
	if n := first.number(t, "SELECT count(*) FROM node_questions"); n != 0 {
		t.Errorf("%d questions are left", n)
	}
	must(t, two.beat(t.Context()))
	two.leave(t.Context())
	first.eventually(t, "the second has left", func() bool { return len(one.Reports()) == 1 })
	must(t, two.beat(t.Context()))
	first.run(t, "UPDATE nodes SET seen_at = seen_at - ? WHERE id = ?", nodeGone.Milliseconds(), two.id)
	first.eventually(t, "the second is taken for gone", func() bool { return len(one.Reports()) == 1 })
	first.run(t, "UPDATE nodes SET seen_at = seen_at - ? WHERE id = ?", nodeForgotten.Milliseconds(), two.id)
	must(t, one.forget(t.Context()))
	if n := first.number(t, "SELECT count(*) FROM nodes"); n != 1 {
		t.Errorf("%d nodes are remembered; want the first alone", n)
	}
}

// TestNodeKnowsWhetherItIsAlone: while it cannot ask, it is not.
func TestNodeKnowsWhetherItIsAlone(t *testing.T) {
	t.Parallel()
	first := newNode(t, testpg.Database(t))
	second := newNodeOn(t, first)
	of := func(n *node, name string) *Nodes {
		return NewNodes(n.db, n.journal, n.Streams, name, "test", tracing.NewLevel(slog.LevelInfo), n.log)
	}
	one, two := of(first, "one"), of(second, "two")
	var alone bool
	one.Alone = func(now bool) { alone = now }
	step := func(what string, want bool) {
		t.Helper()
		must(t, one.beat(t.Context()))
		if alone != want {
			t.Errorf("%s: alone %v", what, alone)
		}
	}
	step("by itself", true)
	must(t, two.beat(t.Context()))
	step("beside another", false)
	two.leave(t.Context())
	step("when the other has left", true)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := one.beat(ended); err == nil || alone {
		t.Errorf("without a database: alone %v, %v", alone, err)
	}
}

// TestStatsAreBounded: of a long time, and of many nodes, the last is told.
func TestStatsAreBounded(t *testing.T) {
	n := &Nodes{latest: make([]NodeReport, 60), watchers: map[*hub.Conn]struct{}{}}
	for range nodeHistory {
		n.history = append(n.history, Moment{At: models.InstantOf(time.Now()), Nodes: make([]NodeSample, 60)})
	}
	n.beats = 1_000
	event, upTo, err := n.since(0)
	if err != nil || upTo != 1_000 || len(event) > 512<<10 || bytes.Count(event, []byte(`"at"`)) != samplesAtOnce/60 {
		t.Errorf("%d bytes, up to %d: %v", len(event), upTo, err)
	}
	if event, upTo, err = n.since(998); err != nil || upTo != 1_000 || bytes.Count(event, []byte(`"at"`)) != 2 {
		t.Errorf("%s, up to %d: %v", event, upTo, err)
	}
	if event, _, err = n.since(1_000); event != nil || err != nil {
		t.Errorf("%s: %v", event, err)
	}
}

// TestLogLevelOfNodes: what an admin asks of one node holds on all.
func TestLogLevelOfNodes(t *testing.T) {
	t.Parallel()
	first := newNode(t, testpg.Database(t))
	second := newNodeOn(t, first)
	one, two := first.reports(t, "one"), second.reports(t, "two")
	first.eventually(t, "both are seen", func() bool { return len(one.Reports()) == 2 && len(two.Reports()) == 2 })
	for _, level := range []string{"debug", "error"} {
		first.eventually(t, "both have changed", func() bool { // a busy node may be too late for the first question
			levels, silent, err := one.ChangeLogLevel(t.Context(), level)
			must(t, err)
			return len(silent) == 0 && slices.Equal(levels, []NodeLogLevel{{"one", level, "warn"}, {"two", level, "warn"}})
		})
		if got := two.level.Level(); got != tracing.Levels[level] {
			t.Errorf("the other logs from %v", got)
		}
	}
	first.eventually(t, "asked, both tell it", func() bool {
		levels, _, err := two.LogLevels(t.Context())
		must(t, err)
		return len(levels) == 2 && levels[0].Level == "error" && levels[1].Level == "error"
	})
}
