package journal

import (
	"context"
	"slices"
	"sort"
	"sync"
	"sync/atomic"
	"time"
)

// Bounds of the tail.
const (
	// pollFloor is how late a node may learn of an entry when every hint is lost.
	pollFloor = 500 * time.Millisecond
	// freshLimit is how long after a look at the log this node may act on what it remembers. Past it a
	// node that was cut off, or stopped, has to ask the database.
	freshLimit = 3 * pollFloor
	// readTimeout bounds a look at the log: a connection that died without a word must not end the tail.
	readTimeout = 3 * time.Second
	// LookBack is how many entries before the head a node begins with, so that those who come to it from
	// another node find in memory what they missed.
	LookBack = 20_000
	// readApart is the rest after a look at the log: at a high rate each look would find few entries.
	readApart = 2 * time.Millisecond
	// fetchLimit is how many entries one read of the database takes.
	fetchLimit = 2_000
	// waitingLimit bounds what may wait behind a hole; what is dropped is read from the log.
	waitingLimit = 4 * batchLimit
	// holeAlarm is how long a hole in the log may stand before it is reported as an error.
	holeAlarm = 2 * time.Second
)

// tail is what this node has seen of the log.
type tail struct {
	mu     sync.Mutex
	epoch  string
	cursor int64   // the last offset handed on
	fresh  []Entry // appended by this node or told by another, not yet handed on; in any order
	hole   time.Time

	holes   atomic.Int64
	trimmed atomic.Int64          // as last looked at
	head    atomic.Int64          // the same
	ahead   atomic.Int64          // by how much the database's clock is ahead of this node's, in µs
	sight   atomic.Pointer[sight] // nil = never, or void
}

// sight is a look at the log, everything in it then being handed on.
type sight struct {
	at  time.Time
	now int64 // on the database's clock
}

func (t *tail) start(h Head) {
	t.epoch, t.cursor = h.Epoch, max(h.Trimmed, h.Offset-LookBack)
	t.trimmed.Store(h.Trimmed)
}

// trim notes that entries up to an offset are gone.
func (t *tail) trim(upTo int64) {
	for {
		if old := t.trimmed.Load(); old >= upTo || t.trimmed.CompareAndSwap(old, upTo) {
			return
		}
	}
}

// offer takes entries that were committed under an epoch. Those of another are not of this log, whatever
// their offsets.
func (t *tail) offer(epoch string, entries []Entry) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if epoch != t.epoch {
		return
	}
	if len(t.fresh)+len(entries) > waitingLimit {
		t.fresh = nil
		return
	}
	t.fresh = append(t.fresh, entries...)
}

// next takes from fresh what follows the cursor without a hole, and says whether anything waits
// behind a hole.
func (t *tail) next() (ready []Entry, gap bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	sort.Slice(t.fresh, func(i, k int) bool { return t.fresh[i].Offset < t.fresh[k].Offset })
	at, taken := t.cursor, 0
	for _, e := range t.fresh {
		if e.Offset > at+1 {
			break
		}
		if e.Offset == at+1 {
			ready = append(ready, e)
			at++
		}
		taken++ // an offset at or before the cursor came another way already
	}
	t.fresh = slices.Delete(t.fresh, 0, taken)
	return ready, len(t.fresh) > 0
}

func (t *tail) waiting() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.fresh) > 0
}

func (t *tail) at() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.cursor
}

// missing is how many entries to read: not those that this node has itself, behind a gap.
func (t *tail) missing() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.fresh) == 0 {
		return fetchLimit
	}
	return int(min(fetchLimit, max(1, t.fresh[0].Offset-t.cursor-1))) // next has sorted them
}

func (t *tail) moveTo(offset int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.cursor = offset
}

// Follow hands every entry to deliver, in order and without a hole, until ctx ends; it begins a stretch
// before the head. A value on hints makes it look at once. lost is called, with the new head, when
// positions of the old epoch mean nothing any more.
func (j *Journal) Follow(ctx context.Context, hints <-chan struct{}, deliver func(Entry), lost func(Head)) {
	poll := time.NewTicker(pollFloor)
	defer poll.Stop()
	j.poll(ctx, deliver, lost)
	for {
		select {
		case <-ctx.Done():
			return
		case <-hints:
			if j.drain(ctx, deliver) {
				rest(ctx, readApart)
			}
		case <-poll.C:
			j.poll(ctx, deliver, lost)
		}
	}
}

// poll asks the database for the head, so that this node is never later than the poll floor though every
// hint is lost, and learns of a new epoch.
func (j *Journal) poll(ctx context.Context, deliver func(Entry), lost func(Head)) {
	began := time.Now()
	looking, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	head, err := j.look(looking)
	if err == nil {
		j.tail.setClock(head.Now, began, time.Now())
		j.tail.head.Store(head.Offset)
		err = j.watchEpoch(looking, head, lost)
	}
	if err != nil {
		j.doubt()
		if ctx.Err() == nil {
			j.log.Warn("the log cannot be looked at; trying again", "error", err)
		}
		return
	}
	j.tail.trim(head.Trimmed)
	if j.tail.at() < head.Offset {
		j.drain(ctx, deliver)
	}
	if j.tail.at() >= head.Offset {
		j.tail.sight.Store(&sight{began, head.Now})
	}
}

// Fresh reports whether this node has lately handed on all that the log held: what it keeps in memory of
// rows is then at most that old. now is the database's clock (ms since 1970 UTC), ahead by what the
// look took at most.
func (j *Journal) Fresh() (now int64, ok bool) {
	seen := j.tail.sight.Load()
	if seen == nil {
		return 0, false
	}
	passed := time.Since(seen.at)
	return seen.now + passed.Milliseconds(), passed < freshLimit
}

// doubt is for when the database did not answer: what this node remembers is no answer then either.
func (j *Journal) doubt() { j.tail.sight.Store(nil) }

// Trimmed is the last offset that was deleted, as this node knows it.
func (j *Journal) Trimmed() int64 { return j.tail.trimmed.Load() }

func rest(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// drain hands on what there is, and says whether the database was asked for it.
func (j *Journal) drain(ctx context.Context, deliver func(Entry)) (asked bool) {
	for ctx.Err() == nil {
		ready, gap := j.tail.next()
		if len(ready) == 0 {
			var err error
			asked = true
			if ready, err = j.read(ctx); err != nil {
				j.log.Warn("the log cannot be read; trying again", "error", err)
				return asked
			}
			if len(ready) == 0 {
				return asked
			}
			gap = len(ready) == fetchLimit
		}
		for _, e := range ready {
			j.observe(&e)
			deliver(e)
			j.tail.moveTo(e.Offset)
		}
		if !gap && !j.tail.waiting() {
			return asked
		}
	}
	return asked
}

// read gives what follows the cursor without a hole. Offsets are given in commit order, so there can be no
// hole; if one shows all the same it is counted, reported and read again, never stepped over.
func (j *Journal) read(ctx context.Context) ([]Entry, error) {
	reading, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	entries, err := j.store.after(reading, j.tail.at(), j.tail.missing())
	if err != nil {
		return nil, err
	}
	j.explain(entries)
	want := j.tail.at() + 1
	for i, e := range entries {
		if e.Offset == want {
			want++
			continue
		}
		j.tail.holes.Add(1)
		if j.tail.hole.IsZero() {
			j.tail.hole = time.Now()
		}
		level := j.log.Warn
		if time.Since(j.tail.hole) > holeAlarm {
			level = j.log.Error
		}
		level("a hole in the log", "expected", want, "found", e.Offset)
		return entries[:i], nil
	}
	j.tail.hole = time.Time{}
	return entries, nil
}

// watchEpoch notices a database that is not the one this node knew: another epoch, or a head that
// lies behind what was already handed on. Either way the positions that clients hold are void.
func (j *Journal) watchEpoch(ctx context.Context, head Head, lost func(Head)) (err error) {
	j.tail.mu.Lock()
	epoch, cursor := j.tail.epoch, j.tail.cursor
	j.tail.mu.Unlock()
	switch {
	case head.Epoch != epoch:
	case head.Offset < cursor:
		if err := j.store.replaceEpoch(ctx, head.Epoch, randomEpoch()); err != nil {
			return err
		}
		if head, err = j.Head(ctx); err != nil {
			return err
		}
	case head.Trimmed > cursor:
		// This node slept longer than entries are kept.
	default:
		return nil
	}
	j.log.Warn("the log starts anew; every client is told", "epoch", head.Epoch, "head", head.Offset)
	j.tail.mu.Lock()
	j.tail.epoch, j.tail.cursor, j.tail.fresh = head.Epoch, head.Offset, nil
	j.tail.mu.Unlock()
	j.doubt()
	j.tail.trimmed.Store(head.Trimmed)
	j.committed.Store(0)
	j.epoch.Store(&head.Epoch)
	j.Forget()
	lost(head)
	return nil
}

// Range reads at most limit entries in (after, upTo] that one of the grants lets be seen now, and the
// offset up to which the reader then has everything.
func (j *Journal) Range(ctx context.Context, after, upTo int64, grants []Grant, limit int) ([]Entry, int64, error) {
	entries, err := j.store.between(ctx, after, upTo, grants, limit)
	if err != nil {
		return nil, after, err
	}
	if len(entries) == limit {
		upTo = entries[limit-1].Offset
	}
	return entries, upTo, nil
}
