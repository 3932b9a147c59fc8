package journal

import (
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"belfry/services/histogram"
)

// Stats are the figures of this node's part in the log, since it began.
type Stats struct {
	Head      int64               // the last entry that this node knows of
	Cursor    int64               // the last one that it has handed on
	Holes     int64               // entries that were missing between two others, and were read again
	Appended  map[string]int64    // entries that this node committed, by kind
	Refused   int64               // entries that were turned away because too many waited
	Failed    int64               // entries whose transaction failed
	Waiting   int64               // entries that wait to be committed
	Looked    time.Duration       // since this node last knew that it had handed on all that there was; 0 = it does not
	Latencies histogram.Histogram // from Append until it was durable, of each caller
	Commits   histogram.Histogram // of each transaction
	Batches   histogram.Histogram // entries of each transaction
}

// counts is what the committer counts.
type counts struct {
	refused, failed  atomic.Int64
	latencies        *histogram.Locked
	commits, batches *histogram.Locked

	mu       sync.Mutex
	appended map[string]int64 // by kind
}

func newCounts() *counts {
	return &counts{latencies: histogram.Lock(histogram.OfLatencies()), commits: histogram.Lock(histogram.OfLatencies()),
		batches: histogram.Lock(histogram.OfSizes()), appended: map[string]int64{}}
}

// published counts entries that are in the log.
func (c *counts) published(entries []Entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range entries {
		c.appended[entries[i].Kind]++
	}
}

func (c *counts) kinds() map[string]int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.appended)
}

// committed counts a transaction of the committer's, successful or not.
func (c *counts) committed(batch []*pending, entries int, began time.Time, err error) {
	if err != nil {
		c.failed.Add(int64(entries))
		return
	}
	now := time.Now()
	c.commits.Observe(int64(now.Sub(began)))
	c.batches.Observe(int64(entries))
	for _, p := range batch {
		c.latencies.Observe(int64(now.Sub(p.began)))
	}
}

// Stats tells how the log goes here.
func (j *Journal) Stats() Stats {
	s := Stats{Cursor: j.tail.at(), Holes: j.tail.holes.Load(), Appended: j.counts.kinds(), Refused: j.counts.refused.Load(),
		Failed: j.counts.failed.Load(), Waiting: int64(j.line.length()),
		Latencies: j.counts.latencies.Clone(), Commits: j.counts.commits.Clone(), Batches: j.counts.batches.Clone()}
	s.Head = max(s.Cursor, j.tail.head.Load(), j.Committed())
	if seen := j.tail.sight.Load(); seen != nil {
		s.Looked = max(1, time.Since(seen.at))
	}
	return s
}

// Age tells how long ago something was written down at a moment of the database's clock (ms since 1970 UTC), as well as this
// node knows that clock: by half of what its last look at the log took.
func (j *Journal) Age(at int64) time.Duration {
	now := time.Now().UnixMicro() + j.tail.ahead.Load()
	return max(0, time.Duration(now-at*1000)*time.Microsecond)
}

// setClock notes the database's clock (ms since 1970 UTC), which was read between two moments.
func (t *tail) setClock(now int64, began, ended time.Time) {
	t.ahead.Store(now*1000 - began.Add(ended.Sub(began)/2).UnixMicro())
}
