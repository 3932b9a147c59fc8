package services

import (
	"context"
	"math/rand/v2"
	"time"
)

// drainWait is short: another node is there, or this one is back soon.
func drainWait() time.Duration { return jitter(time.Second, 5*time.Second) }

// Draining is closed when streams are being sent away.
func (s *Streams) Draining() <-chan struct{} { return s.draining }

func (s *Streams) isDraining() bool {
	select {
	case <-s.draining:
		return true
	default:
		return false
	}
}

// Drain sends every stream away and lets no new one in. They leave one after the other, over the
// drain time when they are many, so that they do not all come back at once.
func (s *Streams) Drain(ctx context.Context) {
	s.drain.Do(func() { close(s.draining) })
	conns := s.hub.All()
	if len(conns) == 0 {
		return
	}
	rand.Shuffle(len(conns), func(i, k int) { conns[i], conns[k] = conns[k], conns[i] }) //nolint:gosec // spreads load; nothing secret
	const apart = 20 * time.Millisecond                                                  // a handful need not take the whole time
	step := min(s.settings.Drain/time.Duration(len(conns)), apart)
	tick := time.NewTicker(max(step, time.Microsecond))
	defer tick.Stop()
	for _, c := range conns {
		c.End(pauseFrame(drainWait()))
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// CloseAll ends what is still open.
func (s *Streams) CloseAll() {
	s.drain.Do(func() { close(s.draining) })
	for _, c := range s.hub.All() {
		c.End(pauseFrame(drainWait()))
	}
	s.watches.stop()
}
