package hub

import "net"

// deaf is what a connection needs of a sink that is no socket.
type deaf struct{ net.Conn }

func (deaf) Close() error { return nil }

// AttachFile has a connection written to a file: nobody watches for its end.
func (c *Conn) AttachFile(fd uintptr, owner Owner) {
	defer c.lock().unlock()
	c.sink, c.fd, c.owner = deaf{}, int32(fd), owner
	c.begin()
	c.rouse(false)
}

// Idle reports whether nothing is written and nothing waits to be.
func (h *Hub) Idle() bool {
	for _, s := range h.shards {
		if s.writer.running.Load() || s.waitsStill() {
			return false
		}
	}
	return true
}
