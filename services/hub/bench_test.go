package hub_test

import (
	"fmt"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"belfry/services/hub"
	"belfry/services/journal"
)

type nobody struct{}

func (nobody) Feed()   {}
func (nobody) Closed() {}

// openDrain is a socket that takes everything, because nobody reads at its other end and datagrams are dropped then: what
// is left of the cost is ours, and about the least that a system call on a socket can do.
func openDrain(b testing.TB) uintptr {
	b.Helper()
	end, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = end.Close() })
	conn, err := net.DialUDP("udp", nil, end.LocalAddr().(*net.UDPAddr))
	if err != nil {
		b.Fatal(err)
	}
	file, err := conn.File() // a number of its own, which nobody polls
	_ = conn.Close()
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = file.Close() })
	return file.Fd()
}

// allWritten fails unless everything that was for anybody went out: what cannot be written costs nothing.
func allWritten(b testing.TB, h *hub.Hub) {
	b.Helper()
	if a := h.Stats().Account; a.Written == 0 || a.Written != a.Queued+a.Replayed {
		b.Errorf("not all was written: %+v", a)
	}
}

// crowdOf is a hub with streams of as many people, each in one group of a hundred besides.
func crowdOf(b testing.TB, n int) (h *hub.Hub, conns []*hub.Conn) {
	b.Helper()
	sink := openDrain(b)
	h = hub.New(0, hub.RecentEntries)
	h.Keep(hub.Rhythm{Heartbeat: 15 * time.Minute, Ping: func(time.Time) []byte { return nil }})
	for i := range n {
		conns = append(conns, enter(h, sink, i))
	}
	return h, conns
}

func enter(h *hub.Hub, sink uintptr, i int) *hub.Conn {
	me := fmt.Sprint("user:", i)
	c := h.Add(h.Offset(), []string{me, fmt.Sprint("session:00000000-0000-0000-0000-", i)}, classAll, false)
	h.Settle(c, c.Turn(), []journal.Grant{{Audience: me}, {Audience: "everyone"}, {Audience: fmt.Sprint("group:", i/100)}}, false)
	h.Replay(c, 0)
	c.AttachFile(sink, nobody{})
	return c
}

// quiet waits until all is written.
func quiet(h *hub.Hub) {
	for !h.Idle() {
		runtime.Gosched()
	}
}

// BenchmarkDeliver is what one delivery costs beside the write: to all, to one.
func BenchmarkDeliver(b *testing.B) {
	const readers = 10_000
	for _, audience := range []string{"everyone", "user:17"} {
		b.Run(audience, func(b *testing.B) {
			h, _ := crowdOf(b, readers)
			each := 1
			if audience == "everyone" {
				each = readers
			}
			f := entry(0, classA, strings.Repeat("x", 300))
			b.ReportAllocs()
			b.ResetTimer()
			for offset := int64(1); offset <= int64(b.N/each)+1; offset++ {
				next := *f
				next.Offset = offset
				h.Deliver(offset, []string{audience}, &next)
				quiet(h)
			}
			allWritten(b, h)
		})
	}
}

// TestDeliveryAllocatesNothing: what a crowd gets costs memory for the entry, not for each delivery.
func TestDeliveryAllocatesNothing(t *testing.T) {
	const readers = 2_000
	h, _ := crowdOf(t, readers)
	f := entry(0, classA, strings.Repeat("x", 300))
	offset := int64(0)
	each := testing.AllocsPerRun(50, func() {
		offset++
		next := *f
		next.Offset = offset
		h.Deliver(offset, []string{"everyone"}, &next)
		quiet(h)
	})
	if each > readers/100 {
		t.Errorf("%v allocations for an entry that %d get", each, readers)
	}
	allWritten(t, h)
}

// BenchmarkMillion is a million subscriptions: the bytes of each, a delivery to all, one that comes and goes.
func BenchmarkMillion(b *testing.B) {
	const readers = 1_000_000
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	h, conns := crowdOf(b, readers)
	quiet(h)
	runtime.GC()
	runtime.ReadMemStats(&after)
	size := float64(after.HeapAlloc-before.HeapAlloc) / readers
	offset := int64(0)
	b.Run("all", func(b *testing.B) {
		for b.Loop() {
			offset++
			h.Deliver(offset, []string{"everyone"}, entry(offset, classA, strings.Repeat("x", 300)))
			quiet(h)
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/readers, "ns/delivery")
		b.ReportMetric(size, "B/subscription")
		allWritten(b, h)
	})
	b.Run("come and go", func(b *testing.B) {
		sink := openDrain(b)
		b.ReportAllocs()
		for b.Loop() {
			h.Remove(enter(h, sink, readers/2))
		}
	})
	runtime.KeepAlive(conns)
}

// BenchmarkEncode is an entry's way to its frame.
func BenchmarkEncode(b *testing.B) {
	e := hub.Event{ID: "k3v9q2-1234567", Name: "notice", Data: []byte(`{"title":"` + strings.Repeat("x", 300) + `"}`)}
	b.ReportAllocs()
	for b.Loop() {
		hub.NewFrame(e.Encode())
	}
}

// BenchmarkResume is a connection that comes back and has missed twenty entries.
func BenchmarkResume(b *testing.B) {
	h := hub.New(0, hub.RecentEntries)
	sink := openDrain(b)
	for offset := int64(1); offset <= 10_000; offset++ {
		h.Deliver(offset, []string{[]string{"everyone", "user:1"}[offset%2]}, entry(offset, classA, strings.Repeat("x", 300)))
	}
	may := grants("user:1", "everyone")
	b.ReportAllocs()
	for b.Loop() {
		c := h.Add(h.Offset()-20, []string{"user:1"}, classAll, false)
		h.Settle(c, c.Turn(), may, false)
		h.Replay(c, 0)
		c.AttachFile(sink, nobody{})
		quiet(h)
		h.Remove(c)
	}
	allWritten(b, h)
}
