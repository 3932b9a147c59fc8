package services

import (
	"context"
	"math/rand/v2"
	"time"
)

// Away is all that a stream says which cannot be opened now but soon. The pause is short: another node is there, or this one is
// back.
func Away() []byte { return pauseFrame(jitter(time.Second, 5*time.Second)) }

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

// Drain sends every stream away and lets no new one in. They leave one after the other, evenly over the
// drain time, so that they do not all come back at once.
func (s *Streams) Drain(ctx context.Context) {
	s.drain.Do(func() { close(s.draining) })
	conns := s.hub.All()
	rand.Shuffle(len(conns), func(i, k int) { conns[i], conns[k] = conns[k], conns[i] }) //nolint:gosec // spreads load; nothing secret
	step := s.settings.Drain / time.Duration(max(1, len(conns)))
	began, timer := time.Now(), time.NewTimer(0)
	defer timer.Stop()
	for i, c := range conns {
		timer.Reset(time.Until(began.Add(time.Duration(i) * step)))
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			return // CloseAll has the rest
		}
		c.End(Away())
	}
}

// CloseAll ends what is still open.
func (s *Streams) CloseAll() {
	s.drain.Do(func() { close(s.draining) })
	for _, c := range s.hub.All() {
		c.End(Away())
	}
	s.watches.stop()
}

// AwaitClosed returns when the streams that CloseAll has ended are written to their ends; those that are not when ctx
// ends are cut off.
func (s *Streams) AwaitClosed(ctx context.Context) {
	s.mu.Lock()
	if s.sockets == 0 {
		s.mu.Unlock()
		return
	}
	if s.none == nil {
		s.none = make(chan struct{})
	}
	none := s.none
	s.mu.Unlock()
	select {
	case <-none:
	case <-ctx.Done():
		s.hub.CutSockets()
		<-none
	}
}
