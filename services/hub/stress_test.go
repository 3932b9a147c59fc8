package hub_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"belfry/services/hub"
	"belfry/services/journal"
)

// book stands for the log: what was delivered can be read again.
type book struct {
	mu        sync.Mutex
	audiences [][]string // by offset-1
}

func (b *book) add(audiences ...string) (offset int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.audiences = append(b.audiences, audiences)
	return int64(len(b.audiences))
}

// read gives at most limit frames in (after, upTo] for the grants, and up to where that goes.
func (b *book) read(after, upTo int64, may []journal.Grant, limit int) (frames []*hub.Frame, reached int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for offset := after + 1; offset <= upTo; offset++ {
		if !b.readable(offset, may) {
			continue
		}
		if frames = append(frames, frame(offset)); len(frames) == limit {
			return frames, offset
		}
	}
	return frames, upTo
}

func (b *book) readable(offset int64, may []journal.Grant) bool {
	return slices.ContainsFunc(may, func(g journal.Grant) bool {
		return offset > g.After && slices.Contains(b.audiences[offset-1], g.Audience)
	})
}

// reader does what a stream's goroutine does, and keeps what it would have written.
type reader struct {
	conn  *hub.Conn
	from  int64
	may   []journal.Grant
	words []string
}

func (r *reader) run(t *testing.T, h *hub.Hub, b *book, random *rand.Rand, last *atomic.Int64) {
	for {
		frames, replay, over := r.conn.Next(t.Context(), patience)
		r.words = append(r.words, strings.Fields(string(bytes.Join(frames, nil)))...)
		switch {
		case over:
			t.Errorf("closed: %q", r.conn.Cause())
			return
		case len(r.words) > 0 && r.words[len(r.words)-1] == strconv.FormatInt(last.Load(), 10):
			return
		case !replay && len(frames) == 0:
			t.Errorf("nothing more came after %v", r.words[max(0, len(r.words)-3):])
			return
		case replay:
			if h.Replay(r.conn, 0) {
				continue
			}
			upTo := h.Offset()
			pos, may := r.conn.Position()
			read, reached := b.read(pos, upTo, may, 1+random.IntN(20))
			r.conn.Advance(read, reached)
		}
	}
}

// check holds what was read against the log: everything once, in order, nothing between a lock and
// the release after it.
func (r *reader) check(t *testing.T, b *book) {
	var got, want []int64
	held := false
	for _, w := range r.words {
		switch w {
		case "locked", "active":
			held = w == "locked"
			continue
		}
		offset, err := strconv.ParseInt(w, 10, 64)
		if err != nil || held {
			t.Errorf("%q came while held %v: %v", w, held, err)
		}
		got = append(got, offset)
	}
	for offset := r.from + 1; offset <= int64(len(b.audiences)); offset++ {
		if b.readable(offset, r.may) {
			want = append(want, offset)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("from %d: got %d entries, want %d; first difference at %d", r.from, len(got), len(want), firstDifference(got, want))
	}
}

func firstDifference(a, b []int64) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}

// TestJoinAtAnyTime lets readers join at random moments and positions, hold and release while entries
// are published. The seed is in the name of the subtest.
func TestJoinAtAnyTime(t *testing.T) {
	t.Parallel()
	for range 4 {
		seed := rand.Uint64()
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			joinAtAnyTime(t, rand.New(rand.NewPCG(seed, 0)))
		})
	}
}

func joinAtAnyTime(t *testing.T, random *rand.Rand) {
	const entries, readers = 3000, 24
	h, b := hub.New(0, 8), &book{} // little is remembered, so that both ways to catch up are taken
	var running sync.WaitGroup
	var last atomic.Int64 // the entry that ends the readers, which all of them get
	var all []*reader
	step := func() {
		audience := []string{[]string{"user:1", "user:2", "everyone"}[random.IntN(3)]}
		if random.IntN(10) == 0 {
			audience = []string{"user:1", "user:2", "everyone"}
		}
		offset := b.add(audience...)
		h.Deliver(offset, audience, frame(offset))
	}
	enter := func() {
		me := fmt.Sprint("user:", 1+random.IntN(2))
		head := h.Offset()
		r := &reader{from: random.Int64N(head + 1), may: []journal.Grant{{Audience: me}, {Audience: "everyone", After: random.Int64N(head + 1)}}}
		r.conn = hub.NewConn(r.from, []string{me}, classAll, false)
		h.Add(r.conn)
		for range random.IntN(3) {
			step() // between knowing the connection and knowing what it may read
		}
		if !h.Settle(r.conn, r.conn.Turn(), slices.Clone(r.may), false) {
			t.Error("not settled")
		}
		all = append(all, r)
		own := rand.New(rand.NewPCG(random.Uint64(), 1))
		running.Go(func() { r.run(t, h, b, own, &last) })
	}
	for i := range entries {
		step()
		if i%(entries/readers) == 0 {
			enter()
		}
		if c := all[random.IntN(len(all))].conn; random.IntN(4) == 0 {
			c.Hold([]byte("locked "))
		} else if random.IntN(2) == 0 {
			c.Release([]byte("active "))
		}
		if random.IntN(50) == 0 {
			runtime.Gosched() // lets readers catch up, so that some are live
		}
	}
	for _, r := range all {
		r.conn.Release([]byte("active "))
	}
	offset := b.add("user:1", "user:2")
	last.Store(offset)
	h.Deliver(offset, []string{"user:1", "user:2"}, frame(offset))
	running.Wait()
	for _, r := range all {
		r.check(t, b)
	}
}
