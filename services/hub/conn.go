package hub

import (
	"context"
	"net"
	"slices"
	"strings"
	"time"

	"belfry/services/journal"
	"belfry/services/wheel"
)

// queueLimit is how many bytes may wait for one connection. A reader that is further behind is cut:
// the log has what it missed, and it comes back with its position.
const queueLimit = 1 << 20

// stepBytes is how much of a replay is queued at once: well within the queue, whatever else comes.
const stepBytes = 256 << 10

// writeLimit is how many bytes are taken from the queue at once. What is taken can no longer be withheld.
const writeLimit = 64 << 10

// mode is what a connection is doing with entries.
type mode uint8

const (
	replaying mode = iota // somebody reads from the log for it; deliveries pass it by
	live                  // deliveries go into the queue
	held                  // entries are withheld, the position stands still
	closed
)

// turn is which of its shard's rings a connection waits in.
type turn uint8

const (
	nowhere turn = iota
	inFar
	inNear
)

// Conn is one open stream. Either Attach gives it a socket, which its shard's writer writes to, or a goroutine of its own calls
// Next; everybody else only puts things in.
//
// What a delivery touches comes first and is two lines of a processor's cache: a crowd has gone from the caches each time
// a notice comes for it, and each line more is fetched from memory again.
type Conn struct {
	shard   *shard
	wants   Class
	unnamed bool
	pulling bool // see AddPulling

	// All below belongs to shard.mu.

	mode    mode
	ready   turn
	writing bool // what was taken is on its way: nothing else may be written
	trying  bool // the writer is at the descriptor at this moment
	doomed  bool // to be closed when it is not any more
	feeding bool // the owner was asked to go on with the replay
	gone    bool // removed
	why     Cause
	fd      int32 // of the sink
	pos     int64 // everything for this reader up to here was queued or written
	queue   queue
	sink    net.Conn      // unless there is a caller
	wrote   time.Duration // when something was last written, since the hub began
	stalled time.Duration // since when the reader is behind; 0 = it is not

	replayedTo int64 // the last entry that came by a replay
	tally      tally

	caller    *caller         // of Next
	owner     Owner           // of the sink
	audiences []string        // to be found by, for control
	missed    int32           // entries of the replay under way, so far
	changes   int             // of what may be read; see Settle
	grants    []journal.Grant // what may be read
	asOf      int64           // what Settle was told holds up to here; see Knows
	beat      wheel.Timer
	rotate    time.Duration // when the connection ends for its age; 0 = never
}

// caller is who writes by itself what Next gives.
type caller struct {
	wake  chan struct{}
	taken []*Frame // what it was given last, and has written when it comes back
}

// Cause says why a connection was closed by the server.
type Cause uint8

// The causes.
const (
	CauseNone     Cause = iota // it was not
	CauseEnded                 // its last frame says why
	CauseOverflow              // too much waited for it
	CauseStalled               // it did not take what was written to it
)

func (c Cause) String() string { return [...]string{"none", "ended", "overflow", "stalled"}[c] }

// Turn counts the signals, holds, releases and changed grants so far.
func (c *Conn) Turn() int {
	defer c.lock().unlock()
	return c.changes
}

func (c *Conn) lock() *shard {
	c.shard.mu.Lock()
	return c.shard
}

// KnowsUpTo is said before Settle: what was read for it holds all changes up to offset.
func (c *Conn) KnowsUpTo(offset int64) {
	defer c.lock().unlock()
	c.asOf = max(c.asOf, offset)
}

// Knows reports whether a change at the offset is part of what Settle was told. The hub may lag behind
// the database, and an older change that it brings now must not undo a newer one.
func (c *Conn) Knows(offset int64) bool {
	defer c.lock().unlock()
	return offset <= c.asOf
}

// put appends to the queue.
func (c *Conn) put(f *Frame, far bool) {
	if c.queue.bytes+f.size() > queueLimit {
		if c.isEntry(f) {
			c.lost(1)
		}
		c.close(CauseOverflow)
		if c.sink != nil {
			c.hangUp() // what is under way may wait for the reader a long time
		}
		return
	}
	c.queue.push(c.shard, f)
	c.rouse(far)
}

// rouse sees to it that what waits is written.
func (c *Conn) rouse(far bool) {
	switch {
	case c.sink == nil:
		c.wake()
	case c.writing: // who writes looks again
	case !far && c.ready != inNear:
		c.ready = inNear // what it left in the far ring is passed over
		c.shard.near.push(c)
	case far && c.ready == nowhere:
		c.ready = inFar
		c.shard.far.push(c)
	}
}

// wake has the caller look; there may be none yet.
func (c *Conn) wake() {
	if c.caller == nil {
		return
	}
	select {
	case c.caller.wake <- struct{}{}:
	default:
	}
}

func (c *Conn) close(why Cause) {
	c.drop()
	c.mode, c.why = closed, why
	c.shard.ledger.evict(why)
	c.rouse(false)
}

// deliver queues an entry's frame if this reader is live, may read it and asked for its kind.
func (c *Conn) deliver(f *Frame, after int64, far bool) bool {
	if c.mode != live || f.Offset <= c.pos || f.Offset <= after {
		return false
	}
	c.pos = f.Offset
	if f.Class&c.wants == 0 {
		return false
	}
	c.queued()
	c.put(f, far)
	return true
}

// Signal queues a frame that is no entry: it carries no position and is never withheld.
func (c *Conn) Signal(text []byte) {
	defer c.lock().unlock()
	if c.mode != closed && !c.pulling {
		c.changes++
		c.put(NewFrame(text), false)
	}
}

// Hold queues a frame and withholds entries from here on. What waits in the queue is taken back: it
// comes again after Release.
func (c *Conn) Hold(text []byte) {
	defer c.lock().unlock()
	if c.mode == closed {
		return
	}
	if first, n := c.queue.withdraw(c.shard); n > 0 {
		c.pos = min(c.pos, first-1)
		if !c.pulling {
			c.tally.withdrawn += n
			c.shard.ledger.withdrawn += n
		}
	}
	c.mode = held
	c.changes++
	c.put(NewFrame(text), false)
}

// Release queues a frame and lets a held connection have what was withheld.
func (c *Conn) Release(text []byte) {
	defer c.lock().unlock()
	if c.mode == closed {
		return
	}
	if c.mode == held || !c.pulling {
		c.put(NewFrame(text), false)
	}
	c.changes++
	if c.mode == held {
		c.mode = replaying
	}
}

// End queues a last frame, takes back what else waits, and closes.
func (c *Conn) End(text []byte) {
	defer c.lock().unlock()
	c.end(text)
}

func (c *Conn) end(text []byte) {
	if c.mode == closed {
		return
	}
	first := c.queue.first
	c.close(CauseEnded)
	if first != nil && first.head {
		c.queue.push(c.shard, first)
	}
	if text != nil {
		c.queue.push(c.shard, NewFrame(text))
	}
}

// Next waits for something to write. The first call begins the heartbeat. replay is true when the caller has
// to read from the log before anything else can come; over is true when the stream is to end after
// the texts.
func (c *Conn) Next(ctx context.Context) (texts [][]byte, replay, over bool) {
	for {
		s := c.lock()
		if c.caller == nil {
			c.caller = &caller{wake: make(chan struct{}, 1)}
			c.begin()
		}
		texts = c.texts()
		idle := c.queue.len() == 0
		replay, over = idle && c.mode == replaying, idle && c.mode == closed
		wake := c.caller.wake
		s.unlock()
		if len(texts) > 0 || replay || over {
			return texts, replay, over
		}
		select {
		case <-wake:
		case <-ctx.Done():
			return nil, false, true
		}
	}
}

// texts takes what is next, for a caller who has written what it took before.
func (c *Conn) texts() (texts [][]byte) {
	if len(c.caller.taken) > 0 {
		c.tookAll(c.caller.taken, c.shard.hub.since())
		c.caller.taken, c.stalled = nil, 0
	}
	if c.queue.len() == 0 {
		return nil
	}
	c.wrote = c.shard.hub.since()
	c.stall(c.wrote) // until the caller comes back
	c.caller.taken = c.queue.take(c.shard, nil, writeLimit)
	for _, f := range c.caller.taken {
		texts = append(texts, f.Text(c.unnamed))
	}
	return texts
}

// Without reports whether the connection is found under no audience that begins so.
func (c *Conn) Without(prefix string) bool {
	return !slices.ContainsFunc(c.audiences, func(a string) bool { return strings.HasPrefix(a, prefix) })
}

// Position is where a replay has to begin, and what may be read.
func (c *Conn) Position() (pos int64, grants []journal.Grant) {
	defer c.lock().unlock()
	return c.pos, slices.Clone(c.grants)
}

// Restart queues a frame that says so, and goes on from another position: what lies between cannot be
// replayed. It does nothing, and says so, to a connection that is not replaying.
func (c *Conn) Restart(text []byte, pos int64) bool {
	defer c.lock().unlock()
	if c.mode != replaying {
		return false
	}
	c.put(NewFrame(text), false)
	c.pos = pos
	return true
}

// Advance takes the frames of a replay that covered everything up to upTo, as many as fit into one step.
// It does nothing when the connection was held or closed meanwhile: what was read must not be written then.
func (c *Conn) Advance(frames []*Frame, upTo int64) {
	defer c.lock().unlock()
	if c.mode == replaying {
		c.step(frames, upTo)
	}
}

// step queues frames up to stepBytes, and says whether they all went.
func (c *Conn) step(frames []*Frame, upTo int64) bool {
	size := 0
	for _, f := range frames {
		if f.over() {
			continue
		}
		if size += f.size(); size > stepBytes && size > f.size() {
			return false
		}
		c.pos = f.Offset
		if f.Class&c.wants == 0 {
			continue
		}
		c.replayed(f)
		if c.put(f, false); c.mode != replaying {
			return false // it overflowed
		}
	}
	c.pos = upTo
	return true
}

// Cause says why the server closed the connection, if it has.
func (c *Conn) Cause() Cause {
	defer c.lock().unlock()
	return c.why
}
