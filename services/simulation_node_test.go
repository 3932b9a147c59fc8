package services

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"belfry/models"
	"belfry/services/announce"
	"belfry/services/hub"
	"belfry/services/journal"
	"belfry/services/tracing"
)

// simNode is one place where a server runs, and runs again after it was killed.
type simNode struct {
	id     int
	sim    *simulation
	d      *dice
	cut    atomic.Bool  // from the database
	asleep atomic.Int64 // until when it is stopped, ns of the simulation's clock
	now    atomic.Pointer[simServer]
}

// awaken returns when the node is not stopped any more, as SIGSTOP and SIGCONT do: time has passed, and
// nobody has told it.
func (n *simNode) awaken() {
	for {
		rest := time.Until(time.Unix(0, n.asleep.Load()))
		if rest <= 0 {
			return
		}
		time.Sleep(rest)
	}
}

// simServer is one life of a server: everything but the HTTP, the database and the bus is the real code.
type simServer struct {
	node    *simNode
	local   *announce.Local
	journal *journal.Journal
	streams *Streams
	ctx     context.Context
	kill    context.CancelFunc
	wg      sync.WaitGroup
	acked   atomic.Int64 // the last offset that it acknowledged
}

// run starts the server, as often as its database lets it not.
func (n *simNode) run(ctx context.Context) {
	for ctx.Err() == nil {
		store := simStore{simWorld: n.sim.world, node: n, d: n.d}
		s := &simServer{node: n, local: announce.NewLocal()}
		j, err := journal.OpenStore(ctx, store, s, slog.New(slog.DiscardHandler))
		if err != nil {
			time.Sleep(n.d.in(10*time.Millisecond, 100*time.Millisecond))
			continue
		}
		s.journal = j
		sessions := NewSessions(nil, j, nil, nil, nil, nil, simLimits, slog.New(slog.DiscardHandler))
		sessions.rows = func(ctx context.Context, ids ...string) (lives []*Live, err error) {
			for _, id := range ids {
				l, err := store.row(ctx, id)
				if err != nil {
					return nil, err
				}
				lives = append(lives, l)
			}
			return lives, nil
		}
		s.streams = NewStreams(nil, j, hub.New(j.Cursor(), 1+n.d.upTo(8)), sessions, nil,
			StreamSettings{Heartbeat: time.Hour, PerUser: 32}, slog.New(slog.DiscardHandler))
		s.streams.summary = store.summary
		s.streams.byKey = func(_ context.Context, t *Ticket) (*identity, error) {
			return &identity{user: models.User{ID: t.UserID}, key: t.KeyID}, nil
		}
		s.ctx, s.kill = context.WithCancel(ctx)
		s.wg.Go(func() { s.streams.Follow(s.ctx, s.local.Hints()) })
		n.now.Store(s)
		return
	}
}

// stop ends the server: in order, or as kill -9 does.
func (n *simNode) stop(inOrder bool) {
	s := n.now.Swap(nil)
	if s == nil {
		return
	}
	if inOrder {
		s.streams.CloseAll()
	}
	s.kill()
	s.journal.Close()
	s.wg.Wait()
	s.streams.CloseAll()
}

// Cause: nobody wants to know.
func (s *simServer) Cause(int64) *tracing.Cause { return nil }

// Announce carries hints to the other node, or does not.
func (s *simServer) Announce(epoch string, entries []journal.Entry) {
	s.local.Announce(epoch, entries)
	d, hz := s.node.d, s.node.sim.world.hazards()
	if d.percent(hz.lost) {
		return
	}
	times := 1
	if d.percent(hz.doubled) {
		times = 2
	}
	for range times {
		wait := d.in(50*time.Microsecond, 3*time.Millisecond)
		if d.percent(hz.late) {
			wait = d.in(3*time.Millisecond, 3*time.Second)
		}
		bare := d.percent(hz.bare)
		s.node.sim.after(wait, func() { s.node.sim.hint(1-s.node.id, epoch, entries, bare) })
	}
}

// hint is what comes in over the bus: the entries themselves, or only that there are some.
func (sim *simulation) hint(node int, epoch string, entries []journal.Entry, bare bool) {
	sim.nodes[node].awaken()
	s := sim.nodes[node].now.Load()
	if s == nil {
		return
	}
	if !bare {
		s.journal.Offer(epoch, entries)
	}
	s.local.Announce(epoch, nil)
}

// append repeats an append until it is known to be done, over whichever node answers.
func (sim *simulation) append(d *dice, draft journal.Draft) bool {
	for range 60 {
		if s := sim.nodes[d.upTo(2)].now.Load(); s != nil {
			ctx, cancel := context.WithTimeout(s.ctx, time.Second)
			receipts, err := s.journal.Append(ctx, draft)
			cancel()
			if err == nil {
				if !receipts[0].Replayed {
					s.note(receipts[0].Offset)
				}
				return true
			}
		}
		time.Sleep(d.in(5*time.Millisecond, 200*time.Millisecond))
	}
	return false
}

func (s *simServer) note(offset int64) {
	for {
		if old := s.acked.Load(); old >= offset || s.acked.CompareAndSwap(old, offset) {
			return
		}
	}
}

// lockOf is a change of a session that the log tells of.
func lockOf(session string, payload []byte) journal.Draft {
	return journal.Draft{Kind: kindLock, Actor: userAudience(userOf(session)), Audiences: []string{lockAudience(session)}, Payload: payload}
}

// userOf is whose session it is: "2.1" is the second of user 2.
func userOf(session string) int64 { return int64(session[0] - '0') }
