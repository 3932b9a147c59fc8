package hub

import (
	"bytes"
	"slices"
	"sync/atomic"
)

// processorsPerWriter is how many processors there are for each that writes. Who reads is often on this machine too, the
// proxy at least: with as many writers as processors they were in each other's way, and a delivery took a quarter more.
const processorsPerWriter = 2

// What is written of a shard before it is looked at for news. It bounds how long a notice to a few waits behind one to many.
const (
	jobsAtOnce = 32
	farAtLeast = jobsAtOnce / 2 // goes to the many even if the few never rest
)

// writer writes what waits in a few shards to their sockets. It works only while there is something to write.
type writer struct {
	shards  []*shard
	running atomic.Bool
	work    func() // run, as a value: "go w.run()" would allocate one each time

	// All below belongs to the one who runs.

	jobs   [jobsAtOnce]job
	joined []byte
	of     []*Frame
	bare   bool // joined is without names
}

func newWriter() *writer {
	w := &writer{}
	w.work = w.run
	return w
}

// add gives it one more shard, before anything is to be written.
func (w *writer) add(s *shard) {
	s.writer = w
	w.shards = append(w.shards, s)
}

// job is what is to be written to one connection.
type job struct {
	conn   *Conn
	fd     int // good as long as conn.trying
	frames []*Frame
	last   bool   // the body ends after them
	rest   []byte // what the socket did not take
	err    error
}

// done empties the job for the next one, but for the room that its list takes.
func (j *job) done() {
	frames := j.frames
	if cap(frames) > spareSize {
		frames = nil
	}
	clear(frames)
	*j = job{frames: frames[:0]}
}

// start has it work, unless it does.
func (w *writer) start() {
	if !w.running.Load() && w.running.CompareAndSwap(false, true) {
		go w.work()
	}
}

// run writes until nothing is left.
func (w *writer) run() {
	for {
		for w.round() {
		}
		w.of = nil
		w.running.Store(false)
		// Who had something for it while it looked for the last time took it to be running.
		if !slices.ContainsFunc(w.shards, (*shard).waitsStill) || !w.running.CompareAndSwap(false, true) {
			return
		}
	}
}

// round writes what is next in each shard, and tells whether there was anything.
func (w *writer) round() (wrote bool) {
	for _, s := range w.shards {
		s.mu.Lock()
		n := s.pick(&w.jobs)
		s.mu.Unlock()
		if n == 0 {
			continue
		}
		wrote = true
		for i := range n {
			w.write(&w.jobs[i])
		}
		now := s.hub.since()
		s.mu.Lock()
		for i := range n {
			w.jobs[i].conn.written(&w.jobs[i], now)
			w.jobs[i].done()
		}
		s.mu.Unlock()
	}
	return wrote
}

// write makes one attempt, which does not wait for the reader.
func (w *writer) write(j *job) {
	text := w.join(j)
	n, err := tryWrite(j.fd, text)
	if err != nil {
		j.err = err
		return
	}
	if n < len(text) {
		j.rest = bytes.Clone(text[n:])
	}
}

// join puts frames together into what goes out in one write. A crowd has the same waiting for each of it, so what was
// put together for the one before is often right for the next.
func (w *writer) join(j *job) []byte {
	if len(j.frames) == 1 && !j.last && !j.conn.unnamed {
		return j.frames[0].wire
	}
	if j.last || w.bare != j.conn.unnamed || !slices.Equal(w.of, j.frames) {
		w.joined = w.joined[:0]
		for _, f := range j.frames {
			w.joined = f.appendTo(w.joined, j.conn.unnamed)
		}
		w.of, w.bare = append(w.of[:0], j.frames...), j.conn.unnamed
		if j.last {
			w.joined, w.of = append(w.joined, lastChunk...), nil
		}
	}
	return w.joined
}
