package hub

// AddPulling makes a connection known whose owner reads what it sends from somewhere else than the log, one step at a time:
// its position is a place there. It is found under the given audiences, held and released like the others, and gets nothing
// that is delivered. Of signals it gets those alone that hold, release or end it.
func (h *Hub) AddPulling(pos int64, control []string, wants Class) *Conn {
	return h.add(&Conn{audiences: control, wants: wants, pulling: true, pos: pos, mode: held})
}

// Pulling reports whether the connection was added by AddPulling.
func (c *Conn) Pulling() bool { return c.pulling }

// Nudge says that there may be something to pull.
func (c *Conn) Nudge() {
	defer c.lock().unlock()
	c.changes++
	if c.mode == live {
		c.mode = replaying
		c.rouse(false)
	}
}

// Rest says that the owner found nothing to pull, unless there was a nudge since it took turn. It is not asked again before
// the next.
func (c *Conn) Rest(turn int) {
	defer c.lock().unlock()
	if c.mode == replaying && c.changes == turn {
		c.mode = live
	}
}
