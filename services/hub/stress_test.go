package hub_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http/httputil"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

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

// reader keeps what a stream brought it, over a socket or by the hand of its own goroutine.
type reader struct {
	conn  *hub.Conn
	hub   *hub.Hub
	book  *book
	from  int64
	may   []journal.Grant
	words []string

	random *rand.Rand // of Feed, which is never called twice at once
	closed chan struct{}
}

// Feed goes on with the replay from memory or from the book.
func (r *reader) Feed() {
	if r.hub.Replay(r.conn, 0) {
		return
	}
	upTo := r.hub.Offset()
	pos, may := r.conn.Position()
	read, reached := r.book.read(pos, upTo, may, 1+r.random.IntN(20))
	r.conn.Advance(read, reached)
}

func (r *reader) Closed() {
	r.hub.Remove(r.conn)
	close(r.closed)
}

func (r *reader) take(text []byte) {
	r.words = append(r.words, strings.Fields(strings.ReplaceAll(string(text), "named:", ""))...)
}

func (r *reader) has(last *atomic.Int64) bool {
	return len(r.words) > 0 && r.words[len(r.words)-1] == strconv.FormatInt(last.Load(), 10)
}

// run does what a stream's goroutine does.
func (r *reader) run(t *testing.T, last *atomic.Int64) {
	for {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		texts, replay, over := r.conn.Next(ctx)
		cancel()
		r.take(bytes.Join(texts, nil))
		switch {
		case r.has(last):
			return
		case over:
			t.Errorf("closed: %v; nothing more came after %v", r.conn.Cause(), r.words[max(0, len(r.words)-3):])
			return
		case replay:
			r.Feed()
		}
	}
}

// runOnSocket reads the other end of the stream's socket, now and then slowly.
func (r *reader) runOnSocket(t *testing.T, last *atomic.Int64) {
	server, client := pair(t)
	if err := r.conn.Attach(server, []byte("HEAD\r\n"), []byte("first "), r); err != nil {
		t.Error(err)
		return
	}
	defer func() {
		_ = client.Close()
		<-r.closed
	}()
	_ = client.SetReadDeadline(time.Now().Add(patience))
	wire := bufio.NewReaderSize(client, 512)
	if head, err := wire.ReadString('\n'); head != "HEAD\r\n" || err != nil {
		t.Errorf("begins with %q: %v", head, err)
	}
	body, buffer := httputil.NewChunkedReader(wire), make([]byte, 700)
	var rest []byte
	for !r.has(last) {
		n, err := body.Read(buffer)
		if err != nil {
			t.Errorf("%v after %v; cause %v", err, r.words[max(0, len(r.words)-3):], r.conn.Cause())
			return
		}
		rest = append(rest, buffer[:n]...)
		whole := bytes.LastIndexByte(rest, ' ') + 1
		r.take(bytes.TrimPrefix(rest[:whole], []byte("first ")))
		rest = bytes.Clone(rest[whole:])
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
		r := &reader{hub: h, book: b, random: rand.New(rand.NewPCG(random.Uint64(), 1)), closed: make(chan struct{}), from: random.Int64N(head + 1), may: []journal.Grant{{Audience: me}, {Audience: "everyone", After: random.Int64N(head + 1)}}}
		r.conn = h.Add(r.from, []string{me}, classAll, false)
		for range random.IntN(3) {
			step() // between knowing the connection and knowing what it may read
		}
		if !h.Settle(r.conn, r.conn.Turn(), slices.Clone(r.may), false) {
			t.Error("not settled")
		}
		all = append(all, r)
		run := r.run
		if random.IntN(2) == 0 {
			run = r.runOnSocket
		}
		running.Go(func() { run(t, &last) })
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
