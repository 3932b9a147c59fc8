package hub

import (
	"errors"
	"os"
	"time"

	"belfry/services/histogram"
)

// Account is what became of the entries that were to be written to a connection, or to many. At any moment Queued and
// Replayed are together as many as Written, Withdrawn, Dropped and Waiting.
type Account struct {
	Queued    int64 `json:"queued"`    // as they came
	Replayed  int64 `json:"replayed"`  // for one who had missed them
	Written   int64 `json:"written"`   // taken by the system
	Withdrawn int64 `json:"withdrawn"` // taken back by a lock before that; they come again by a replay
	Dropped   int64 `json:"dropped"`   // gone with the connection before that was known; who comes back gets them by a replay
	Waiting   int64 `json:"waiting"`   // queued, or on their way
	Evicted   int64 `json:"evicted"`   // connections that were cut for reading too slowly
}

// Add sums up.
func (a *Account) Add(b Account) {
	a.Queued += b.Queued
	a.Replayed += b.Replayed
	a.Written += b.Written
	a.Withdrawn += b.Withdrawn
	a.Dropped += b.Dropped
	a.Waiting += b.Waiting
	a.Evicted += b.Evicted
}

// tally is an account without what follows from the rest. Whoever has one counts under a shard's lock, which is held for
// the delivery anyway: a counter of its own for each delivery would cost more than the delivery. What a delivery counts comes first: see Conn.
type tally struct{ queued, written, replayed, withdrawn, dropped int64 }

func (t *tally) waiting() int64 {
	return t.queued + t.replayed - t.written - t.withdrawn - t.dropped
}

func (t *tally) account(evicted int64) Account {
	return Account{
		Queued: t.queued, Replayed: t.replayed, Written: t.written, Withdrawn: t.withdrawn, Dropped: t.dropped,
		Waiting: t.waiting(), Evicted: evicted,
	}
}

// evictions are the causes that a connection is cut for by the server against its reader's will.
var evictions = [...]Cause{CauseOverflow, CauseStalled}

// Evicts reports whether the connection was cut for reading too slowly.
func (c Cause) Evicts() bool { return c == CauseOverflow || c == CauseStalled }

// ledger is what a shard has counted since it began.
type ledger struct {
	tally
	evicted [len(evictions)]int64
	lag     histogram.Histogram // from the entry's commit to when the system took it, of what was not replayed
	replays histogram.Histogram // entries of each
}

func newLedger() ledger {
	return ledger{lag: histogram.OfLatencies(), replays: histogram.OfSizes()}
}

func (l *ledger) evict(why Cause) {
	for i, cause := range evictions {
		if cause == why {
			l.evicted[i]++
		}
	}
}

// Stats are the figures of this node's connections.
type Stats struct {
	Streams int // of the log
	Pulling int // others; see AddPulling
	Account Account
	Evicted map[string]int64    // by cause
	Lag     histogram.Histogram // see ledger
	Replays histogram.Histogram
}

// Stats sums up since the hub began.
func (h *Hub) Stats() Stats {
	sum := Stats{Evicted: map[string]int64{}, Lag: histogram.OfLatencies(), Replays: histogram.OfSizes()}
	for _, s := range h.shards {
		s.mu.Lock()
		l := &s.ledger
		sum.Streams += len(s.conns) - s.pulling
		sum.Pulling += s.pulling
		sum.Account.Add(l.account(0))
		for i, n := range l.evicted {
			sum.Evicted[evictions[i].String()] += n
			sum.Account.Evicted += n
		}
		sum.Lag.Add(&l.lag)
		sum.Replays.Add(&l.replays)
		s.mu.Unlock()
	}
	return sum
}

// isEntry reports whether a frame counts: it comes from the log. What a pulling connection is fed has places of its own.
func (c *Conn) isEntry(f *Frame) bool { return f.Offset != 0 && !c.pulling }

// queued counts an entry that goes into the queue.
func (c *Conn) queued() {
	c.tally.queued++
	c.shard.ledger.queued++
}

// replayed counts an entry of a replay that goes into the queue.
func (c *Conn) replayed(f *Frame) {
	if c.isEntry(f) {
		c.tally.replayed++
		c.shard.ledger.replayed++
		c.missed++
		c.replayedTo = f.Offset
	}
}

// caughtUp counts a replay that is complete, unless there was nothing to it.
func (c *Conn) caughtUp() {
	if c.missed > 0 {
		c.shard.ledger.replays.Observe(int64(c.missed))
		c.missed = 0
	}
}

// tookAll counts frames that the system took.
func (c *Conn) tookAll(frames []*Frame, now time.Duration) {
	if c.gone {
		return // they were counted as dropped
	}
	for _, f := range frames {
		if !c.isEntry(f) {
			continue
		}
		c.tally.written++
		c.shard.ledger.written++
		if f.Offset > c.replayedTo {
			c.shard.ledger.lag.Observe(int64(max(0, now-f.born)))
			if f.written != nil {
				f.written()
			}
		}
	}
}

// drop counts what waits in the queue as lost, and empties it.
func (c *Conn) drop() {
	n := int64(0)
	for f := range c.queue.all() {
		if c.isEntry(f) {
			n++
		}
	}
	c.queue = queue{}
	c.lost(n)
}

func (c *Conn) lost(entries int64) {
	c.tally.dropped += entries
	c.shard.ledger.dropped += entries
}

// stall notes that a write was not taken whole: the reader is behind since then.
func (c *Conn) stall(now time.Duration) {
	if c.stalled == 0 {
		c.stalled = max(1, now)
	}
}

// Stalled says that the caller of Next gave up writing.
func (c *Conn) Stalled() {
	defer c.lock().unlock()
	if c.mode != closed {
		c.close(CauseStalled)
	}
}

// failed is why a write did.
func failed(err error) Cause {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return CauseStalled
	}
	return CauseNone
}

// State is how a connection stands.
type State struct {
	Account
	QueueBytes int
	Lag        time.Duration // since when not all that was queued could be written; 0 = the reader keeps up
}

// State tells how the connection stands.
func (c *Conn) State() State {
	defer c.lock().unlock()
	s := State{QueueBytes: c.queue.bytes}
	evicted := int64(0)
	if c.why.Evicts() {
		evicted = 1
	}
	s.Account = c.tally.account(evicted)
	if c.stalled > 0 {
		s.Lag = c.shard.hub.since() - c.stalled
	}
	return s
}
