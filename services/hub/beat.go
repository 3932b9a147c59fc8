package hub

import (
	"math/rand/v2"
	"time"
)

// Rhythm is what keeps a connection alive and renews it.
type Rhythm struct {
	Heartbeat time.Duration              // silence after which a ping is sent
	Ping      func(now time.Time) []byte // its text
	MaxAge    time.Duration              // 0 = none; each connection's own differs by a tenth
	Rotated   func() []byte              // the text that ends a connection of that age
}

// beatSpread is the part of the heartbeat by which a ping may be late: those who got a notice at the same moment are
// not all to be pinged at the same moment.
const beatSpread = 16

// begin starts the heartbeat, once.
func (c *Conn) begin() {
	h := c.shard.hub
	if c.beat.Call != nil || h.rhythm.Heartbeat == 0 || c.gone {
		return
	}
	c.beat.Call = c.onBeat
	c.wrote = h.since()
	if age := h.rhythm.MaxAge; age > 0 {
		c.rotate = c.wrote + age*9/10 + rand.N(age/5+1) //nolint:gosec // spreads load; nothing secret
	}
	c.arm(c.wrote)
}

// arm sets the timer for whatever comes first.
func (c *Conn) arm(now time.Duration) {
	h := c.shard.hub
	beat := h.rhythm.Heartbeat
	from := c.wrote
	if c.writing || c.queue.len() > 0 {
		from = now // what is under way tells more than a ping; counted from the last write it would be due at once, again and again
	}
	next := from + beat + rand.N(beat/beatSpread+1) //nolint:gosec // spreads load; nothing secret
	if c.rotate > 0 {
		next = min(next, c.rotate)
	}
	h.wheel.Reset(&c.beat, next-now)
}

// onBeat is called by the wheel.
func (c *Conn) onBeat() {
	defer c.lock().unlock()
	if c.gone || c.mode == closed {
		return
	}
	h := c.shard.hub
	now := h.since()
	switch {
	case c.rotate > 0 && now >= c.rotate:
		c.end(h.rhythm.Rotated())
		return
	case !c.writing && c.queue.len() == 0 && now-c.wrote >= h.rhythm.Heartbeat:
		c.put(h.ping(), false)
		c.wrote = now // as good as
	}
	c.arm(now)
}

// ping is the frame of this moment: those whose time has come together share it.
func (h *Hub) ping() *Frame {
	now := time.Now().Truncate(time.Millisecond)
	last := h.pinged.Load()
	if last == nil || !last.at.Equal(now) {
		last = &pinged{at: now, frame: NewFrame(h.rhythm.Ping(now))}
		h.pinged.Store(last)
	}
	return last.frame
}

type pinged struct {
	at    time.Time
	frame *Frame
}
