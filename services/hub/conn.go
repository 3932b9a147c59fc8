package hub

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"belfry/services/journal"
)

// queueLimit is how many bytes may wait for one connection. A reader that is further behind is cut:
// the log has what it missed, and it comes back with its position.
const queueLimit = 1 << 20

// stepBytes is how much of a replay is queued at once: well within the queue, whatever else comes.
const stepBytes = 256 << 10

// writeLimit is how many bytes are taken from the queue at once.
const writeLimit = 64 << 10

// Frame is an entry's bytes, encoded once for all who get it.
type Frame struct {
	Offset    int64
	Class     Class
	Bytes     []byte
	Unnamed   []byte // the same for those who asked for events without a name; nil = as Bytes
	ExpiresAt int64  // ms since 1970 UTC: not replayed from then on; 0 = never
}

func (f *Frame) expired(now time.Time) bool {
	return f.ExpiresAt != 0 && f.ExpiresAt <= now.UnixMilli()
}

// Class is a set of event kinds, one bit each. The hub does not know what they mean.
type Class uint

// mode is what a connection is doing with entries.
type mode int

const (
	replaying mode = iota // its own goroutine reads from the log; deliveries pass it by
	live                  // deliveries go into the queue
	held                  // entries are withheld, the position stands still
	closed
)

type item struct {
	offset int64 // 0: not from the log, never withheld
	bytes  []byte
}

// Conn is one open stream. Its goroutine calls Next; everybody else only puts things in.
type Conn struct {
	audiences []string // to be found by, for control
	wants     Class
	unnamed   bool

	mu     sync.Mutex
	grants []journal.Grant
	queue  []item
	queued int
	mode   mode
	pos    int64 // everything for this reader up to here was queued or written
	turn   int   // counts changes of what may be read; see Settle
	asOf   int64 // what Settle was told holds up to here; see Knows
	wake   chan struct{}
	why    Cause
}

// Cause says why a connection was closed by the server.
type Cause string

// The causes.
const (
	CauseEnded    Cause = "ended"    // its last frame says why
	CauseOverflow Cause = "overflow" // it read too slowly
)

// NewConn prepares a stream that has everything up to pos, to be found under the given audiences. It
// is held, and may read nothing, until Settle.
func NewConn(pos int64, control []string, wants Class, unnamed bool) *Conn {
	return &Conn{audiences: control, wants: wants, unnamed: unnamed, pos: pos, mode: held, wake: make(chan struct{}, 1)}
}

// Turn counts the signals, holds, releases and changed grants so far.
func (c *Conn) Turn() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.turn
}

// KnowsUpTo is said before Settle: what was read for it holds all changes up to offset.
func (c *Conn) KnowsUpTo(offset int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asOf = max(c.asOf, offset)
}

// Knows reports whether a change at the offset is part of what Settle was told. The hub may lag behind
// the database, and an older change that it brings now must not undo a newer one.
func (c *Conn) Knows(offset int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return offset <= c.asOf
}

func (c *Conn) signal() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// put appends to the queue; the caller holds c.mu.
func (c *Conn) put(it item) {
	if c.queued+len(it.bytes) > queueLimit {
		c.queue, c.queued, c.mode, c.why = nil, 0, closed, CauseOverflow
		c.signal()
		return
	}
	c.queue = append(c.queue, it)
	c.queued += len(it.bytes)
	c.signal()
}

// deliver queues an entry's frame if this reader is live, may read it and asked for its kind.
func (c *Conn) deliver(audience string, f *Frame) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mode != live || f.Offset <= c.pos || !c.mayRead(audience, f.Offset) {
		return false
	}
	c.pos = f.Offset
	return c.enqueue(f)
}

func (c *Conn) enqueue(f *Frame) bool {
	if f.Class&c.wants == 0 {
		return false
	}
	bytes := f.Bytes
	if c.unnamed && f.Unnamed != nil {
		bytes = f.Unnamed
	}
	c.put(item{offset: f.Offset, bytes: bytes})
	return true
}

func (c *Conn) mayRead(audience string, offset int64) bool {
	for _, g := range c.grants {
		if g.Audience == audience {
			return offset > g.After
		}
	}
	return false
}

// Signal queues a frame that is no entry: it carries no position and is never withheld.
func (c *Conn) Signal(bytes []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mode != closed {
		c.turn++
		c.put(item{bytes: bytes})
	}
}

// Hold queues a frame and withholds entries from here on. What waits in the queue is taken back: it
// comes again after Release.
func (c *Conn) Hold(bytes []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mode == closed {
		return
	}
	kept := c.queue[:0:0]
	for _, it := range c.queue {
		if it.offset == 0 {
			kept = append(kept, it)
			continue
		}
		c.pos = min(c.pos, it.offset-1)
		c.queued -= len(it.bytes)
	}
	c.queue, c.mode = kept, held
	c.turn++
	c.put(item{bytes: bytes})
}

// Release queues a frame and lets the goroutine of a held connection read what was withheld.
func (c *Conn) Release(bytes []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mode == closed {
		return
	}
	c.put(item{bytes: bytes})
	c.turn++
	if c.mode == held {
		c.mode = replaying
		c.signal()
	}
}

// End queues a last frame, takes back what else waits, and closes.
func (c *Conn) End(bytes []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mode == closed {
		return
	}
	c.queue, c.queued, c.mode, c.why = nil, 0, closed, CauseEnded
	if bytes != nil {
		c.queue = []item{{bytes: bytes}}
	}
	c.signal()
}

// Next waits for something to write, at most for the given time. replay is true when the caller has
// to read from the log before anything else can come; over is true when the stream is to end after
// the frames. All empty: nothing came in time.
func (c *Conn) Next(ctx context.Context, wait time.Duration) (frames [][]byte, replay, over bool) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		c.mu.Lock()
		frames = c.take()
		idle := len(c.queue) == 0
		replay, over = idle && c.mode == replaying, idle && c.mode == closed
		c.mu.Unlock()
		if len(frames) > 0 || replay || over {
			return frames, replay, over
		}
		select {
		case <-c.wake:
		case <-timer.C:
			return nil, false, false
		case <-ctx.Done():
			return nil, false, true
		}
	}
}

// take gives the next frames, at least one if there is any; the caller holds c.mu. What is taken
// can no longer be withheld, so it is not more than a write or two.
func (c *Conn) take() [][]byte {
	n, size := 0, 0
	for n < len(c.queue) && (n == 0 || size+len(c.queue[n].bytes) <= writeLimit) {
		size += len(c.queue[n].bytes)
		n++
	}
	if n == 0 {
		return nil
	}
	frames := make([][]byte, n)
	for i := range n {
		frames[i] = c.queue[i].bytes
	}
	c.queue, c.queued = c.queue[n:], c.queued-size
	if len(c.queue) == 0 {
		c.queue = nil // the array's front is spent
	}
	return frames
}

// Without reports whether the connection is found under no audience that begins so.
func (c *Conn) Without(prefix string) bool {
	return !slices.ContainsFunc(c.audiences, func(a string) bool { return strings.HasPrefix(a, prefix) })
}

// Position is where a replay has to begin, and what may be read.
func (c *Conn) Position() (pos int64, grants []journal.Grant) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.pos, append([]journal.Grant(nil), c.grants...)
}

// Restart queues a frame that says so, and goes on from another position: what lies between cannot be
// replayed. It does nothing to a connection that is not replaying.
func (c *Conn) Restart(bytes []byte, pos int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mode == replaying {
		c.put(item{bytes: bytes})
		c.pos = pos
	}
}

// Advance takes the frames of a replay that covered everything up to upTo, as many as fit into one step.
// It does nothing when the connection was held or closed meanwhile: what was read must not be written then.
func (c *Conn) Advance(frames []*Frame, upTo int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mode == replaying {
		c.step(frames, upTo)
	}
}

// step queues frames up to stepBytes, and says whether they all went; the caller holds c.mu.
func (c *Conn) step(frames []*Frame, upTo int64) bool {
	size := 0
	now := time.Now()
	for _, f := range frames {
		if f.expired(now) {
			continue
		}
		if size += len(f.Bytes); size > stepBytes && size > len(f.Bytes) {
			return false
		}
		c.pos = f.Offset
		if c.enqueue(f); c.mode != replaying {
			return false // it overflowed
		}
	}
	c.pos = upTo
	return true
}

// Cause says why the server closed the connection; empty while it has not.
func (c *Conn) Cause() Cause {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.why
}
