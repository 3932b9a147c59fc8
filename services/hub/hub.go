// Package hub hands entries of the log to the connections of this node. It never waits for one: what
// a connection cannot take waits in its bounded queue, and a full queue ends the connection.
//
// The package knows neither notices nor sessions; frames come encoded, audiences are names.
package hub

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"belfry/services/journal"
	"belfry/services/wheel"
)

// Hub is the connections of this node. Its lock comes before those of the shards.
type Hub struct {
	mu     sync.Mutex
	offset atomic.Int64 // the last entry that was handed on; openings read it without the lock
	recent recent
	moved  chan struct{} // closed at the next entry; nil while nobody waits for one

	rhythm Rhythm
	wheel  *wheel.Wheel
	began  time.Time
	shards []*shard
	added  atomic.Uint64
	pinged atomic.Pointer[pinged]
}

// New makes a hub that has handed on everything up to offset, and will remember at most that many entries.
func New(offset int64, remembered int) *Hub {
	h := &Hub{recent: newRecent(offset, remembered), wheel: wheel.New(), began: time.Now()}
	var w *writer
	for i := range runtime.GOMAXPROCS(0) {
		if i%processorsPerWriter == 0 {
			w = newWriter()
		}
		s := newShard(h)
		w.add(s)
		h.shards = append(h.shards, s)
	}
	h.offset.Store(offset)
	return h
}

// Keep sets the rhythm of connections, before the first is added.
func (h *Hub) Keep(r Rhythm) { h.rhythm = r }

// Wheel has the timers of all connections, and room for those of their sessions.
func (h *Hub) Wheel() *wheel.Wheel { return h.wheel }

func (h *Hub) since() time.Duration { return time.Since(h.began) }

// Add makes a connection known that has everything up to pos, to be found under the given audiences. It gets signals
// at once; it is held, and may read nothing, until Settle.
func (h *Hub) Add(pos int64, control []string, wants Class, unnamed bool) *Conn {
	return h.add(&Conn{audiences: control, wants: wants, unnamed: unnamed, pos: pos, mode: held})
}

func (h *Hub) add(c *Conn) *Conn {
	s := h.shards[h.added.Add(1)%uint64(len(h.shards))]
	c.shard = s
	defer c.lock().unlock()
	s.conns[c] = struct{}{}
	if c.pulling {
		s.pulling++
	}
	for _, a := range c.audiences {
		s.control.add(a, c, 0)
	}
	return c
}

// Remove forgets the connection. What was still to be written to it is lost.
func (h *Hub) Remove(c *Conn) {
	defer c.lock().unlock()
	if c.gone {
		return
	}
	c.gone = true
	if c.pulling {
		c.shard.pulling--
	}
	h.wheel.Stop(&c.beat)
	s := c.shard
	delete(s.conns, c)
	for _, a := range c.audiences {
		s.control.remove(a, c)
	}
	for _, g := range c.grants {
		s.readers.remove(g.Audience, c)
	}
	c.lost(c.tally.waiting())
	if c.mode != closed {
		c.queue, c.mode = queue{}, closed
	}
}

// Offset is the last entry that was handed on.
func (h *Hub) Offset() int64 { return h.offset.Load() }

// Deliver hands one entry to the live connections of its audiences, in the log's order, and tells how
// many took it. A nil frame only moves the offset.
func (h *Hub) Deliver(offset int64, audiences []string, f *Frame) (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	defer h.moveTo(offset) // at last: who reads the offset may take it that everybody has the entry
	if f == nil {
		return 0
	}
	f.born += h.since()
	h.recent.add(audiences, f)
	for _, s := range h.shards {
		n += s.deliver(audiences, f)
	}
	return n
}

// Void leaves an entry of these audiences out of replays from memory from now on: who missed it is not to have it any more.
func (h *Hub) Void(offset int64, audiences []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, a := range audiences {
		h.recent.void(offset, a)
	}
}

// Reset moves the hub onto another head, after positions became void.
func (h *Hub) Reset(offset int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.recent = newRecent(offset, h.recent.limit)
	h.moveTo(offset)
}

func (h *Hub) moveTo(offset int64) {
	h.offset.Store(offset)
	if h.moved != nil {
		close(h.moved)
		h.moved = nil
	}
}

// Await returns when everything up to offset was handed on, or ctx ends.
func (h *Hub) Await(ctx context.Context, offset int64) error {
	for {
		h.mu.Lock()
		if h.offset.Load() >= offset {
			h.mu.Unlock()
			return nil
		}
		if h.moved == nil {
			h.moved = make(chan struct{})
		}
		moved := h.moved
		h.mu.Unlock()
		select {
		case <-moved:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Replay queues what memory has after the connection's position, at most a step of it, and ends the replay
// when that was all. It says false when memory does not reach back so far, or the position was trimmed: then
// the caller reads from the log. Every delivery waits meanwhile.
func (h *Hub) Replay(c *Conn, trimmed int64) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	defer c.lock().unlock()
	if c.mode != replaying {
		return true // held or closed: nothing to go on with
	}
	if c.pos < max(h.recent.after, trimmed) {
		return false
	}
	if upTo := h.offset.Load(); c.pos < upTo && !c.step(h.recent.since(c.pos, c.grants), upTo) {
		return true // the rest when this is written
	}
	if c.mode == replaying {
		c.mode = live
		c.caughtUp()
	}
	return true
}

// Of gives the connections found under an audience.
func (h *Hub) Of(audience string) (conns []*Conn) {
	for _, s := range h.shards {
		s.mu.Lock()
		crowd := s.control[audience]
		crowd.each(func(c *Conn, _ int64) { conns = append(conns, c) })
		s.mu.Unlock()
	}
	return conns
}

// All gives every connection.
func (h *Hub) All() (conns []*Conn) {
	for _, s := range h.shards {
		s.mu.Lock()
		for c := range s.conns {
			conns = append(conns, c)
		}
		s.mu.Unlock()
	}
	return conns
}

// Settle says what a new connection may read and whether it is held, as the caller read it from the
// database after Add. If the log brought a change since the caller took turn, that reading is stale:
// Settle does nothing and says false, and the caller reads again.
func (h *Hub) Settle(c *Conn, turn int, grants []journal.Grant, hold bool) bool {
	s := c.lock()
	defer s.unlock()
	if c.changes != turn {
		return false
	}
	for _, g := range c.grants {
		s.readers.remove(g.Audience, c)
	}
	c.grants = grants
	if c.gone || c.mode == closed {
		c.grants = nil
		return true
	}
	for _, g := range grants {
		s.readers.add(g.Audience, c, g.After)
	}
	c.drop() // older than what the caller has read, and would contradict it
	c.mode = replaying
	if hold {
		c.mode = held // though an older release came meanwhile
	}
	return true
}

// Grant lets the connections found under an audience read another one too, from an offset on.
func (h *Hub) Grant(audience string, g journal.Grant) {
	h.regrant(audience, g.Audience, &g)
}

// Revoke takes an audience away from the connections found under another.
func (h *Hub) Revoke(audience, lost string) { h.regrant(audience, lost, nil) }

func (h *Hub) regrant(audience, changed string, g *journal.Grant) {
	for _, s := range h.shards {
		s.mu.Lock()
		crowd := s.control[audience]
		crowd.each(func(c *Conn, _ int64) { c.regrant(changed, g) })
		s.mu.Unlock()
	}
}

func (c *Conn) regrant(changed string, g *journal.Grant) {
	c.changes++
	if c.pulling {
		return // what it may read its owner finds out at each step
	}
	// A new list: the old one may be shared with those who settled on the same reading.
	grants := make([]journal.Grant, 0, len(c.grants)+1)
	for _, old := range c.grants {
		if old.Audience != changed {
			grants = append(grants, old)
		}
	}
	if g != nil {
		grants = append(grants, *g)
		c.shard.readers.add(changed, c, g.After)
	} else {
		c.shard.readers.remove(changed, c)
	}
	c.grants = grants
}

// Streams tells how many connections there are.
func (h *Hub) Streams() (n int) {
	for _, s := range h.shards {
		s.mu.Lock()
		n += len(s.conns)
		s.mu.Unlock()
	}
	return n
}

// CutSockets closes every socket, whatever was still to be written.
func (h *Hub) CutSockets() {
	for _, c := range h.All() {
		s := c.lock()
		if c.sink != nil {
			c.hangUp()
		}
		s.unlock()
	}
}
