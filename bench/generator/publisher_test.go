package generator

import (
	"testing"
	"time"
)

// A server may close a connection that nobody uses; the next request takes another one.
func TestIdlePublisherMayBeClosed(t *testing.T) {
	s := newTiny(t)
	l := s.watching()
	defer l.Close()
	s.send(l, load(6))
	s.run(l, l.Settled)
	s.mu.Lock()
	closed := 0
	for _, conn := range s.accepted {
		if _, stream := s.streams[conn]; !stream {
			_ = conn.Close()
			closed++
		}
	}
	all := len(s.accepted) + closed
	s.mu.Unlock()
	s.run(l, func() bool { s.mu.Lock(); defer s.mu.Unlock(); return len(s.accepted) == all })
	s.send(l, load(6))
	s.run(l, l.Settled)
	s.wants(l, "delivered 24, lost 0, doubled 0, disorder 0, foreign 0, acked 12, refused 0, latencies 24, acks 12")
	if l.Faults() != nil || closed != 3 {
		t.Errorf("%d closed: %v", closed, l.Faults())
	}
}

// A request that met the end of its connection may have been taken or not: one that has rested is not used again.
func TestRestedPublisherConnectsAnew(t *testing.T) {
	s := newTiny(t)
	l := s.watching()
	defer l.Close()
	connections := func(want int, why string) {
		t.Helper()
		s.send(l, load(6))
		s.run(l, l.Settled)
		s.mu.Lock()
		defer s.mu.Unlock()
		if got := len(s.accepted); got != want {
			t.Errorf("%d connections %s, want %d", got, why, want)
		}
	}
	connections(4+3, "at first")
	connections(4+3, "a moment later")
	for _, p := range l.idle {
		p.rests = time.Now().Add(-2 * stale)
	}
	connections(4+3+3, "after a rest")
	s.wants(l, "delivered 36, lost 0, doubled 0, disorder 0, foreign 0, acked 18, refused 0, latencies 36, acks 18")
	if err := l.Faults(); err != nil {
		t.Error(err)
	}
}
