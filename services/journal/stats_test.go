package journal_test

import (
	"testing"
	"time"

	"belfry/services/journal"
)

// TestStats: what this node appended is counted once, by entry and by transaction, and the head is known to it.
func TestStats(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		f := n.follow(t, n.local.Hints())
		const entries = 20
		_, err := n.Append(t.Context(), draft("user:1", 0), draft("user:1", 1))
		must(t, err)
		for i := range entries - 2 {
			n.append(t, draft("user:1", i))
		}
		if _, err = n.Append(t.Context(), make([]journal.Draft, 10_001)...); err == nil {
			t.Error("more entries than may wait were taken")
		}
		for offset := range int64(entries) {
			f.next(t, offset+1)
		}
		s := n.Stats()
		if s.Appended["test"] != entries || s.Refused != 10_001 || s.Failed != 0 || s.Waiting != 0 || s.Head != entries {
			t.Errorf("%+v", s)
		}
		if s.Latencies.Count() != entries-1 || s.Commits.Count() != entries-1 || s.Batches.Sum() != entries {
			t.Errorf("%d callers, %d transactions, %d entries in them", s.Latencies.Count(), s.Commits.Count(), s.Batches.Sum())
		}
		if s.Commits.Sum() == 0 || s.Latencies.Sum() < s.Commits.Sum() {
			t.Errorf("the callers waited %v in all, the transactions took %v", time.Duration(s.Latencies.Sum()), time.Duration(s.Commits.Sum()))
		}
	})
}

// TestAge is by the database's clock, however far from this node's that is.
func TestAge(t *testing.T) {
	for _, ahead := range []time.Duration{0, time.Hour, -time.Hour} {
		j := journal.Unstarted()
		began := time.Now()
		const took = 100 * time.Millisecond // the clock was read halfway
		j.SetClock(began.Add(took/2+ahead).UnixMilli(), began, began.Add(took))
		const age, slack = 3 * time.Second, 2 * time.Millisecond
		got := j.Age(began.Add(ahead - age).UnixMilli())
		if got < age-slack || got > age+slack+time.Since(began) {
			t.Errorf("ahead by %v: %v", ahead, got)
		}
		if j.Age(began.Add(ahead+time.Hour).UnixMilli()) != 0 {
			t.Error("what is still to come has an age")
		}
	}
}
