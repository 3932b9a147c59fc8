package hub

import (
	"net"
	"syscall"
)

// deaf is the part of a connection that a sink without a socket needs.
type deaf struct{ net.Conn }

func (deaf) Close() error { return nil }

// AttachRaw gives a connection a sink that is no socket: nobody watches for its end.
func (c *Conn) AttachRaw(raw syscall.RawConn, owner Owner) {
	defer c.lock().unlock()
	c.sink, c.owner = &socket{Conn: deaf{}, raw: raw}, owner
	c.begin()
	c.rouse(false)
}

// Idle reports whether nothing is written and nothing waits to be.
func (h *Hub) Idle() bool {
	for _, s := range h.shards {
		s.mu.Lock()
		running := s.running
		s.mu.Unlock()
		if running {
			return false
		}
	}
	return true
}
