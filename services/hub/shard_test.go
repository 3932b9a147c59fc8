package hub

import (
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"
)

// TestFewGoBeforeMany, and the many get their share all the same.
func TestFewGoBeforeMany(t *testing.T) {
	t.Parallel()
	h := New(0, 1)
	s := h.shards[0]
	conns := map[*Conn]bool{} // whether it is one of the few
	wait := func(n int, far bool) {
		for range n {
			c := &Conn{shard: s, sink: deaf{}, mode: live}
			conns[c] = !far
			c.queue.push(s, NewFrame([]byte("x")))
			c.rouse(far)
		}
	}
	count := func() (few, many int) {
		n := s.pick(&s.writer.jobs)
		for i := range n {
			if conns[s.writer.jobs[i].conn] {
				few++
			} else {
				many++
			}
			s.writer.jobs[i].done()
		}
		return few, many
	}
	wait(1000, true)
	wait(5, false)
	if few, many := count(); few != 5 || many != jobsAtOnce-5 {
		t.Errorf("%d of few, %d of many; all of the few were to go first", few, many)
	}
	wait(1000, false)
	for range 10 {
		if few, many := count(); few != jobsAtOnce-farAtLeast || many != farAtLeast {
			t.Errorf("%d of few, %d of many; half and half were to go", few, many)
		}
	}
}

// TestBothRingsWriteOnce: who waits with the many and gets something alone goes with the few, once.
func TestBothRingsWriteOnce(t *testing.T) {
	t.Parallel()
	s := New(0, 1).shards[0]
	c := &Conn{shard: s, sink: deaf{}, mode: live}
	for _, far := range []bool{true, false, true, false} {
		c.queue.push(s, NewFrame([]byte("x")))
		c.rouse(far)
	}
	if n := s.pick(&s.writer.jobs); n != 1 || len(s.writer.jobs[0].frames) != 4 {
		t.Errorf("%d jobs, the first with %d frames", n, len(s.writer.jobs[0].frames))
	}
}

// TestTwoLines: what a delivery touches is close together, as long as no field is put between.
func TestTwoLines(t *testing.T) {
	t.Parallel()
	var c Conn
	if end := unsafe.Offsetof(c.tally) + unsafe.Offsetof(c.tally.written) + unsafe.Sizeof(c.tally.written); end > 2*64 {
		t.Errorf("%d bytes, more than two lines of a cache", end)
	}
}

// TestNothingIsWrittenToAnother: the number of a closed descriptor is given again, and what was still to be written to it
// must not go there.
func TestNothingIsWrittenToAnother(t *testing.T) {
	t.Parallel()
	s := New(0, 1).shards[0]
	s.writer.running.Store(true) // nobody else writes
	closed := 0
	c := &Conn{shard: s, sink: counted{times: &closed}, fd: 7, mode: live}
	c.queue.push(s, NewFrame([]byte("x")))
	c.rouse(false)
	if n := s.pick(&s.writer.jobs); n != 1 || s.writer.jobs[0].fd != 7 {
		t.Fatalf("%d jobs, on descriptor %d", n, s.writer.jobs[0].fd)
	}
	c.hangUp() // while the writer is at it
	if closed != 0 {
		t.Error("closed under the writer's hands")
	}
	c.written(&s.writer.jobs[0], 0)
	if closed != 1 {
		t.Errorf("closed %d times when the writer was done", closed)
	}
	c.writing = false // as if a slow write had ended meanwhile
	c.goOn()
	c.rouse(false)
	if n := s.pick(&s.writer.jobs); n != 0 {
		t.Errorf("%d jobs, on descriptor %d, which is closed", n, s.writer.jobs[0].fd)
	}
}

// counted is a sink that counts how often it is closed.
type counted struct {
	net.Conn
	times *int
}

func (c counted) Close() error { *c.times++; return nil }

// TestStalledReaderIsNotPingedAtEveryTick: while something is on its way the heartbeat is counted from the last look.
func TestStalledReaderIsNotPingedAtEveryTick(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := New(0, 1)
		h.Keep(Rhythm{Heartbeat: time.Second, Ping: func(time.Time) []byte { return []byte("ping") }})
		c := h.Add(0, nil, 0, false)
		var beats atomic.Int64
		s := c.lock()
		c.sink, c.writing = deaf{}, true // as while a slow write goes on
		c.beat.Call = func() { beats.Add(1); c.onBeat() }
		c.arm(h.since())
		s.unlock()
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if n := beats.Load(); n < 5 || n > 11 {
			t.Errorf("%d beats in ten heartbeats", n)
		}
		h.Remove(c)
	})
}
