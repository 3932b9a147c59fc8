package hub

import "sync"

// nearCrowd is how many connections a frame may go to and still be written before those to more.
const nearCrowd = 64

// sparesKept and spareSize bound the queues that are kept for the next who needs one.
const (
	sparesKept = 1024
	spareSize  = 64
)

// shard is a part of the connections.
type shard struct {
	hub    *Hub
	writer *writer // to their sockets

	mu      sync.Mutex
	ledger  ledger
	conns   map[*Conn]struct{}
	pulling int   // of them
	control index // by what a connection is found under
	readers index // by what it may read
	near    ring
	far     ring // what goes to many
	spares  [][]*Frame
}

func newShard(h *Hub) *shard {
	return &shard{hub: h, ledger: newLedger(), conns: map[*Conn]struct{}{}, control: index{}, readers: index{}}
}

// unlock leaves the shard, and has what waits there written.
func (s *shard) unlock() {
	waits := s.waits()
	s.mu.Unlock()
	if waits {
		s.writer.start()
	}
}

// waits tells whether there may be something to write.
func (s *shard) waits() bool { return s.near.len() > 0 || s.far.len() > 0 }

// waitsStill is waits, for who has not got the lock.
func (s *shard) waitsStill() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.waits()
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

// pick takes the next jobs.
func (s *shard) pick(jobs *[jobsAtOnce]job) (n int) {
	far := min(s.far.len(), farAtLeast)
	for n < jobsAtOnce-far && s.near.len() > 0 {
		n += s.prepare(&jobs[n], s.near.pop(), inNear)
	}
	for n < jobsAtOnce && s.far.len() > 0 {
		n += s.prepare(&jobs[n], s.far.pop(), inFar)
	}
	return n
}

// prepare takes what waits for a connection, if it still waits in this ring.
func (s *shard) prepare(j *job, c *Conn, from turn) int {
	if c.ready != from || c.writing || c.fd == noFile {
		return 0
	}
	c.ready = nowhere
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
