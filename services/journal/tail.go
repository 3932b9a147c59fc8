package journal

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"sync"
	"time"
)

// Bounds of the tail.
const (
	// pollFloor is how late a node may learn of an entry when every hint is lost.
	pollFloor = 500 * time.Millisecond
	// cacheEntries and cacheBytes bound what is kept in memory for those who come back.
	cacheEntries = 20_000
	cacheBytes   = 32 << 20
	// fetchLimit is how many entries one read of the database takes.
	fetchLimit = 1_000
	// holeAlarm is how long a hole in the log may stand before it is reported as an error.
	holeAlarm = 2 * time.Second
)

// tail is what this node has seen of the log.
type tail struct {
	mu     sync.Mutex
	epoch  string
	cursor int64 // the last offset handed on
	recent []Entry
	bytes  int
	fresh  []Entry // appended by this node, not yet handed on; in any order
	hole   time.Time
}

func (t *tail) start(h Head) {
	t.epoch, t.cursor = h.Epoch, h.Offset
}

func (t *tail) offer(entries []Entry) {
	t.mu.Lock()
	t.fresh = append(t.fresh, entries...)
	t.mu.Unlock()
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

// keep remembers an entry for replays and moves the cursor onto it.
func (t *tail) keep(e Entry) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.cursor = e.Offset
	t.recent = append(t.recent, e)
	t.bytes += len(e.Payload)
	if len(t.recent) <= cacheEntries && t.bytes <= cacheBytes {
		return
	}
	// Half goes at once, so that each entry is moved once on average, not with every new one.
	t.recent = slices.Clone(t.recent[(len(t.recent)+1)/2:])
	t.bytes = 0
	for i := range t.recent {
		t.bytes += len(t.recent[i].Payload)
	}
}

// Follow hands every entry to deliver, in order and without a hole, until ctx ends. A value on hints
// makes it look at once. lost is called when positions of the old epoch mean nothing any more.
func (j *Journal) Follow(ctx context.Context, hints <-chan struct{}, deliver func(Entry), lost func()) {
	poll := time.NewTicker(pollFloor)
	defer poll.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-hints:
			j.drain(ctx, deliver)
		case <-poll.C:
			// Two steps: even with every hint lost the database is asked once a floor.
			j.drain(ctx, deliver)
			j.watchEpoch(ctx, lost)
		}
	}
}

func (j *Journal) drain(ctx context.Context, deliver func(Entry)) {
	for {
		ready, gap := j.tail.next()
		if len(ready) == 0 {
			var err error
			if ready, err = j.after(ctx, j.tail.at()); err != nil {
				j.log.Warn("the log cannot be read; trying again", "error", err)
				return
			}
			if ready = j.contiguous(ready); len(ready) == 0 {
				return
			}
			gap = true // there may be more than one read brings
		}
		for _, e := range ready {
			deliver(e)
			j.tail.keep(e)
		}
		if !gap && !j.tail.waiting() {
			return
		}
	}
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

// contiguous cuts the entries at the first hole. Offsets are given in commit order, so there can be
// none; if one shows all the same it is read again and reported, never stepped over.
func (j *Journal) contiguous(entries []Entry) []Entry {
	want := j.tail.at() + 1
	for i, e := range entries {
		if e.Offset == want {
			want++
			continue
		}
		if j.tail.hole.IsZero() {
			j.tail.hole = time.Now()
		}
		level := j.log.Warn
		if time.Since(j.tail.hole) > holeAlarm {
			level = j.log.Error
		}
		level("a hole in the log", "expected", want, "found", e.Offset)
		return entries[:i]
	}
	j.tail.hole = time.Time{}
	return entries
}

// after reads what follows an offset, for this node as a whole.
func (j *Journal) after(ctx context.Context, offset int64) ([]Entry, error) {
	var rows []row
	err := j.read.WithContext(ctx).Table("entries").Where("log_offset > ?", offset).
		Order("log_offset").Limit(fetchLimit).Find(&rows).Error
	return entriesOf(rows), err
}

func entriesOf(rows []row) []Entry {
	entries := make([]Entry, len(rows))
	for i := range rows {
		entries[i] = rows[i].entry()
	}
	return entries
}

// watchEpoch notices a database that is not the one this node knew: another epoch, or a head that
// lies behind what was already handed on. Either way the positions that clients hold are void.
func (j *Journal) watchEpoch(ctx context.Context, lost func()) {
	head, err := j.Head(ctx)
	if err != nil {
		return // drain has said so
	}
	j.tail.mu.Lock()
	epoch, cursor := j.tail.epoch, j.tail.cursor
	j.tail.mu.Unlock()
	switch {
	case head.Epoch != epoch:
	case head.Offset < cursor:
		if err := j.replaceEpoch(ctx, head.Epoch); err != nil {
			j.log.Error("the log is shorter than it was, and its epoch cannot be changed", "error", err)
			return
		}
		if head, err = j.Head(ctx); err != nil {
			return
		}
	case head.Trimmed > cursor:
		// This node slept longer than entries are kept.
	default:
		return
	}
	j.log.Warn("the log starts anew; every client is told", "epoch", head.Epoch, "head", head.Offset)
	j.tail.mu.Lock()
	j.tail.epoch, j.tail.cursor, j.tail.recent, j.tail.bytes, j.tail.fresh = head.Epoch, head.Offset, nil, 0, nil
	j.tail.mu.Unlock()
	j.epoch.Store(&head.Epoch)
	lost()
}

// Recent gives the entries in (after, upTo] that one of the grants lets be seen, from memory alone;
// ok is false when memory does not reach back that far.
func (j *Journal) Recent(after, upTo int64, grants []Grant) (entries []Entry, ok bool) {
	t := &j.tail
	t.mu.Lock()
	defer t.mu.Unlock()
	if after >= upTo {
		return nil, true
	}
	if len(t.recent) == 0 || t.recent[0].Offset > after+1 || t.cursor < upTo {
		return nil, false
	}
	for i := int(after + 1 - t.recent[0].Offset); i < len(t.recent) && t.recent[i].Offset <= upTo; i++ {
		if t.recent[i].readable(grants) {
			entries = append(entries, t.recent[i])
		}
	}
	return entries, true
}

// Range reads at most limit entries in (after, upTo] that one of the grants lets be seen now, and the
// offset up to which the reader then has everything.
func (j *Journal) Range(ctx context.Context, after, upTo int64, grants []Grant, limit int) ([]Entry, int64, error) {
	if entries, ok := j.Recent(after, upTo, grants); ok {
		return entries, upTo, nil
	}
	mine := ""
	var args []any
	for i, g := range grants {
		if i > 0 {
			mine += " UNION "
		}
		mine += "SELECT log_offset FROM recipients WHERE audience = ? AND log_offset > ? AND log_offset <= ?"
		args = append(args, g.Audience, max(g.After, after), upTo)
	}
	var rows []row
	err := j.read.WithContext(ctx).
		Raw(fmt.Sprintf("SELECT * FROM entries WHERE log_offset IN (%s) ORDER BY log_offset LIMIT %d", mine, limit), args...).
		Scan(&rows).Error
	if err != nil {
		return nil, after, err
	}
	if len(rows) == limit {
		upTo = rows[limit-1].LogOffset
	}
	return entriesOf(rows), upTo, nil
}
