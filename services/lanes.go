package services

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// How what waits in an outbox is sent.
const (
	laneLook   = 5 * time.Second  // between looks whether there is anybody to send to
	lanePoll   = time.Second      // between looks for what is due, where there is
	laneLease  = 30 * time.Second // a node that has not said how it went by then is taken to be gone
	laneSettle = 5 * time.Second  // for writing down how it went
)

// lanes are what receivers are sent to by: each has one of its own on this node, so that one that hangs delays no other.
// Every node has lanes; what one has a lease of, no other sends.
type lanes[K comparable] struct {
	log  *slog.Logger
	some atomic.Bool   // there are receivers, as of the last look
	wake chan struct{} // something may be due

	mu   sync.Mutex
	busy map[K]bool // those under way; true = look again before leaving
}

// newLanes makes the lanes of a kind of message, by which the log names them.
func newLanes[K comparable](kind string, log *slog.Logger) *lanes[K] {
	return &lanes[K]{log: log.With("outbox", kind), wake: make(chan struct{}, 1), busy: map[K]bool{}}
}

// nudge has them look at once; without it they would within a second.
func (l *lanes[K]) nudge() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// run sends what is due until ctx ends, and returns when the last lane has. due tells to whom there is something to be sent
// now; send sends some of that, and tells how much got on.
func (l *lanes[K]) run(ctx context.Context, due func(context.Context) ([]K, error), send func(context.Context, K) (int, error)) {
	var under sync.WaitGroup
	defer under.Wait()
	tick := time.NewTicker(lanePoll)
	defer tick.Stop()
	var looked time.Time
	for {
		if l.some.Load() || time.Since(looked) >= laneLook {
			looked = time.Now()
			receivers, err := due(ctx)
			if err != nil && ctx.Err() == nil {
				l.log.Warn("it cannot be looked at what is due; it will be tried again", "error", err)
			}
			for _, to := range receivers {
				if l.enter(to) {
					under.Go(func() { l.serve(ctx, to, send) })
				}
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-l.wake:
		}
	}
}

// serve is one lane: it sends as long as something gets on. A receiver that takes nothing is asked again at the next look
// and not at once.
func (l *lanes[K]) serve(ctx context.Context, to K, send func(context.Context, K) (int, error)) {
	for {
		n, err := send(ctx, to)
		if err != nil && ctx.Err() == nil {
			l.log.Warn("nothing can be sent; it will be tried again", "to", to, "error", err)
		}
		if n == 0 && l.leave(to) {
			return
		}
		if ctx.Err() != nil {
			l.leave(to)
			return
		}
	}
}

// enter begins a lane; false where one is under way, which then looks once more before it ends.
func (l *lanes[K]) enter(to K) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, busy := l.busy[to]
	l.busy[to] = busy
	return !busy
}

// leave ends a lane, unless something may have fallen due meanwhile.
func (l *lanes[K]) leave(to K) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.busy[to] {
		l.busy[to] = false
		return false
	}
	delete(l.busy, to)
	return true
}

// jittered is about as long, so that a receiver that many wait for is not asked by all at once.
func jittered(wait time.Duration) time.Duration { return jitter(wait-wait/10, wait+wait/10) }
