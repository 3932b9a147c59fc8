// Package hub hands entries of the log to the connections of this node. It never waits for one: what
// a connection cannot take waits in its bounded queue, and a full queue ends the connection.
//
// The package knows neither notices nor sessions; frames come encoded, audiences are names.
package hub

import (
	"context"
	"slices"
	"sync"

	"belfry/services/journal"
)

// Hub is the connections of this node.
type Hub struct {
	mu     sync.Mutex
	offset int64 // the last entry that was handed on
	recent recent
	moved  chan struct{} // closed at the next entry; nil while nobody waits for one
	conns  map[*Conn]struct{}
	by     map[string]map[*Conn]struct{}
}

// New makes a hub that has handed on everything up to offset, and will remember at most that many entries.
func New(offset int64, remembered int) *Hub {
	return &Hub{offset: offset, recent: newRecent(offset, remembered), conns: map[*Conn]struct{}{}, by: map[string]map[*Conn]struct{}{}}
}

// Add makes the connection known. It gets signals at once, entries after Settle and Replay.
func (h *Hub) Add(c *Conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.conns[c] = struct{}{}
	for _, a := range c.audiences {
		h.index(a, c)
	}
}

func (h *Hub) index(audience string, c *Conn) {
	set := h.by[audience]
	if set == nil {
		set = map[*Conn]struct{}{}
		h.by[audience] = set
	}
	set[c] = struct{}{}
}

func (h *Hub) unindex(audience string, c *Conn) {
	if set := h.by[audience]; set != nil {
		delete(set, c)
		if len(set) == 0 {
			delete(h.by, audience)
		}
	}
}

// Remove forgets the connection.
func (h *Hub) Remove(c *Conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.conns, c)
	for _, a := range c.audiences {
		h.unindex(a, c)
	}
	for _, g := range c.grants {
		h.unindex(g.Audience, c)
	}
}

// Offset is the last entry that was handed on.
func (h *Hub) Offset() int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.offset
}

// Deliver hands one entry to the live connections of its audiences, in the log's order, and tells how
// many took it. A nil frame only moves the offset.
func (h *Hub) Deliver(offset int64, audiences []string, f *Frame) (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.moveTo(offset)
	if f == nil {
		return 0
	}
	h.recent.add(audiences, f)
	for _, a := range audiences {
		for c := range h.by[a] {
			if c.deliver(a, f) {
				n++
			}
		}
	}
	return n
}

// Reset moves the hub onto another head, after positions became void.
func (h *Hub) Reset(offset int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.recent = newRecent(offset, h.recent.limit)
	h.moveTo(offset)
}

func (h *Hub) moveTo(offset int64) {
	h.offset = offset
	if h.moved != nil {
		close(h.moved)
		h.moved = nil
	}
}

// Await returns when everything up to offset was handed on, or ctx ends.
func (h *Hub) Await(ctx context.Context, offset int64) error {
	for {
		h.mu.Lock()
		if h.offset >= offset {
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
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mode != replaying {
		return true // held or closed: nothing to go on with
	}
	if c.pos < max(h.recent.after, trimmed) {
		return false
	}
	if c.pos < h.offset && !c.step(h.recent.since(c.pos, c.grants), h.offset) {
		return true // the rest when this is written
	}
	if c.mode == replaying {
		c.mode = live
	}
	return true
}

// Of gives the connections found under an audience.
func (h *Hub) Of(audience string) []*Conn {
	h.mu.Lock()
	defer h.mu.Unlock()
	conns := make([]*Conn, 0, len(h.by[audience]))
	for c := range h.by[audience] {
		conns = append(conns, c)
	}
	return conns
}

// All gives every connection.
func (h *Hub) All() []*Conn {
	h.mu.Lock()
	defer h.mu.Unlock()
	conns := make([]*Conn, 0, len(h.conns))
	for c := range h.conns {
		conns = append(conns, c)
	}
	return conns
}

// Settle says what a new connection may read and whether it is held, as the caller read it from the
// database after Add. If the log brought a change since the caller took turn, that reading is stale:
// Settle does nothing and says false, and the caller reads again.
func (h *Hub) Settle(c *Conn, turn int, grants []journal.Grant, hold bool) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.turn != turn {
		return false
	}
	for _, g := range c.grants {
		h.unindex(g.Audience, c)
	}
	c.grants = grants
	if _, known := h.conns[c]; known {
		for _, a := range c.audiences { // a grant may have had the same name
			h.index(a, c)
		}
		for _, g := range grants {
			h.index(g.Audience, c)
		}
	}
	if c.mode == closed {
		return true
	}
	c.queue, c.queued = nil, 0 // older than what the caller has read, and would contradict it
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
	h.mu.Lock()
	defer h.mu.Unlock()
	for c := range h.by[audience] {
		c.mu.Lock()
		c.turn++
		c.grants = slices.DeleteFunc(c.grants, func(old journal.Grant) bool { return old.Audience == changed })
		if g != nil {
			c.grants = append(c.grants, *g)
		}
		c.mu.Unlock()
		if g != nil {
			h.index(changed, c)
		} else {
			h.unindex(changed, c)
		}
	}
}

// Streams tells how many connections there are.
func (h *Hub) Streams() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.conns)
}
