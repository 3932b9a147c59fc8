package hub

import (
	"bytes"
	"slices"
	"sync"
)

// What a shard writes before it looks for news. It bounds how long a notice to a few waits behind one to many.
const (
	jobsAtOnce = 32
	farAtLeast = jobsAtOnce / 2 // goes to the many even if the few never rest
)

// nearCrowd is how many connections a frame may go to and still be written before those to more.
const nearCrowd = 64

// sparesKept and spareSize bound the queues that are kept for the next who needs one.
const (
	sparesKept = 1024
	spareSize  = 64
)

// shard is a part of the connections, with a worker that writes to their sockets. There is a worker only while
// there is something to write.
type shard struct {
	hub *Hub

	mu      sync.Mutex
	ledger  ledger
	conns   map[*Conn]struct{}
	pulling int   // of them
	control index // by what a connection is found under
	readers index // by what it may read
	near    ring
	far     ring // what goes to many
	running bool
	spares  [][]*Frame

	work   func() // run, as a value: "go s.run()" would allocate one each time
	jobs   [jobsAtOnce]job
	joined []byte // of the worker alone
	of     []*Frame
	bare   bool // joined is without names
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

func newShard(h *Hub) *shard {
	s := &shard{hub: h, ledger: newLedger(), conns: map[*Conn]struct{}{}, control: index{}, readers: index{}}
	s.work = s.run
	return s
}

// unlock leaves the shard, and has what waits there written.
func (s *shard) unlock() {
	start := !s.running && (s.near.len() > 0 || s.far.len() > 0)
	if start {
		s.running = true
	}
	s.mu.Unlock()
	if start {
		go s.work()
	}
}

// deliver hands a frame to those of the audiences, and tells how many took it.
func (s *shard) deliver(audiences []string, f *Frame) (n int) {
	s.mu.Lock()
	defer s.unlock()
	for _, a := range audiences {
		crowd, known := s.readers[a]
		if !known {
			continue
		}
		far := crowd.len() > nearCrowd
		crowd.each(func(c *Conn, after int64) {
			if c.deliver(f, after, far) {
				n++
			}
		})
	}
	return n
}

// run writes until nothing is left.
func (s *shard) run() {
	s.mu.Lock()
	for {
		n := s.pick()
		if n == 0 {
			s.running = false
			s.of = nil
			s.mu.Unlock()
			return
		}
		s.mu.Unlock()
		for i := range n {
			s.write(&s.jobs[i])
		}
		now := s.hub.since()
		s.mu.Lock()
		for i := range n {
			s.jobs[i].conn.written(&s.jobs[i], now)
			s.jobs[i].done()
		}
	}
}

// pick takes the next jobs.
func (s *shard) pick() (n int) {
	far := min(s.far.len(), farAtLeast)
	for n < jobsAtOnce-far && s.near.len() > 0 {
		n += s.prepare(n, s.near.pop(), inNear)
	}
	for n < jobsAtOnce && s.far.len() > 0 {
		n += s.prepare(n, s.far.pop(), inFar)
	}
	return n
}

// prepare takes what waits for a connection, if it still waits in this ring.
func (s *shard) prepare(n int, c *Conn, from turn) int {
	if c.ready != from || c.writing || c.fd == noFile {
		return 0
	}
	c.ready = nowhere
	j := &s.jobs[n]
	j.frames = c.queue.take(s, j.frames, writeLimit)
	j.last = c.mode == closed && c.queue.len() == 0
	if len(j.frames) == 0 && !j.last {
		c.goOn()
		return 0
	}
	j.conn, j.fd = c, int(c.fd)
	c.writing, c.trying = true, true
	return 1
}

// write makes one attempt, which does not wait for the reader.
func (s *shard) write(j *job) {
	text := s.join(j)
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
func (s *shard) join(j *job) []byte {
	if len(j.frames) == 1 && !j.last && !j.conn.unnamed {
		return j.frames[0].wire
	}
	if j.last || s.bare != j.conn.unnamed || !slices.Equal(s.of, j.frames) {
		s.joined = s.joined[:0]
		for _, f := range j.frames {
			s.joined = f.appendTo(s.joined, j.conn.unnamed)
		}
		s.of, s.bare = append(s.of[:0], j.frames...), j.conn.unnamed
		if j.last {
			s.joined, s.of = append(s.joined, lastChunk...), nil
		}
	}
	return s.joined
}

// spare gives an empty queue.
func (s *shard) spare() []*Frame {
	if n := len(s.spares); n > 0 {
		q := s.spares[n-1]
		s.spares = s.spares[:n-1]
		return q
	}
	return make([]*Frame, 0, 4)
}

func (s *shard) recycle(q []*Frame) {
	if cap(q) == 0 || cap(q) > spareSize || len(s.spares) >= sparesKept {
		return
	}
	clear(q)
	s.spares = append(s.spares, q[:0])
}

// ring is connections in the order in which they wait.
type ring struct {
	items []*Conn
	first int
}

func (r *ring) len() int { return len(r.items) - r.first }

func (r *ring) push(c *Conn) {
	if r.first > len(r.items)/2 {
		n := copy(r.items, r.items[r.first:])
		clear(r.items[n:])
		r.items, r.first = r.items[:n], 0
	}
	r.items = append(r.items, c)
}

func (r *ring) pop() *Conn {
	c := r.items[r.first]
	r.items[r.first] = nil
	if r.first++; r.first == len(r.items) {
		r.items, r.first = r.items[:0], 0
	}
	return c
}
