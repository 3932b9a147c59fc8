package generator

import (
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"
)

// One stream that is cut misses what comes meanwhile, and gets it when it is back; the others notice nothing.
func TestOneIsCutAndComesBack(t *testing.T) {
	s := newTiny(t)
	l := s.watching()
	defer l.Close()
	s.send(l, load(6))
	s.run(l, l.Settled)
	l.Cut(l.streams[0])
	l.Cut(l.streams[0]) // it is away already
	if l.Begun() {
		t.Error("a stream that was cut is open")
	}
	s.send(l, load(10))
	s.run(l, func() bool { return l.Begun() && l.Settled() })
	s.wants(l, "delivered 32, lost 0, doubled 0, disorder 0, foreign 0, acked 16, refused 0, latencies 32, acks 16")
	s.mu.Lock()
	defer s.mu.Unlock()
	if l.Faults() != nil || !slices.Equal(s.lastIDs, []string{"", "", "", "", "3"}) {
		t.Errorf("opened with %q: %v", s.lastIDs, l.Faults())
	}
}

// What is sent late, because all connections were busy, was due before: a message may count from then on.
func TestSentWhenItWasDue(t *testing.T) {
	l := &Loop{}
	l.Audiences(1)
	begun := time.Now().Add(-time.Minute)
	for _, due := range []bool{true, false} {
		late := &Load{To: []int{0}, Rate: 10, Due: due, begun: begun, sent: 3}
		sent := late.next(l, nil)[0].Mark.Sent
		if (sent == begun.Add(300*time.Millisecond).UnixNano()) != due {
			t.Errorf("due %v: it counts as sent %v after the first", due, time.Duration(sent-begun.UnixNano()))
		}
	}
}

func TestComesFromItsSources(t *testing.T) {
	s := newTiny(t)
	l, err := New(t.Context(), s.net.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	l.Sources = []netip.Addr{netip.MustParseAddr("127.0.0.2"), netip.MustParseAddr("127.0.0.3")}
	l.Audiences(1)
	for range 4 {
		l.Open(&Stream{Begins: "hello", Head: func(b, _ []byte) []byte { return append(b, "GET /?topic=0 HTTP/1.1\r\nHost: x\r\n\r\n"...) }}, 0)
	}
	s.run(l, l.Begun)
	s.mu.Lock()
	defer s.mu.Unlock()
	from := map[string]int{}
	for _, conn := range s.accepted {
		host, _, _ := net.SplitHostPort(conn.RemoteAddr().String())
		from[host]++
	}
	if len(from) != 2 || from["127.0.0.2"] != 2 || from["127.0.0.3"] != 2 {
		t.Errorf("they come from %v", from)
	}
}

// A stream that the server ends comes back after a while, where that is wanted, and is no fault.
func TestComesBackAfterAnEnd(t *testing.T) {
	s := newTiny(t)
	l := s.watching()
	defer l.Close()
	l.ComeBack = time.Millisecond
	s.send(l, load(6))
	s.run(l, l.Settled)
	s.mu.Lock()
	for conn := range s.streams {
		_ = conn.Close()
	}
	s.mu.Unlock()
	s.run(l, func() bool { return l.Ended == 4 })
	s.send(l, load(10))
	s.run(l, func() bool { return l.Begun() && l.Settled() })
	s.wants(l, "delivered 32, lost 0, doubled 0, disorder 0, foreign 0, acked 16, refused 0, latencies 32, acks 16")
	if l.Faults() != nil || l.Ended != 4 {
		t.Errorf("%d ended: %v", l.Ended, l.Faults())
	}
}
