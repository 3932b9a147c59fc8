package journal_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"belfry/internal/testpg"
	"belfry/services"
	"belfry/services/journal"
)

// fullBatch is how many drafts fill a batch.
const fullBatch = 500

// outcome is what a caller that filled a batch was told.
type outcome struct {
	receipts []journal.Receipt
	err      error
}

func (n *node) send(t *testing.T, draftOf func(i int) journal.Draft) <-chan outcome {
	drafts := make([]journal.Draft, fullBatch)
	for i := range drafts {
		drafts[i] = draftOf(i)
	}
	told := make(chan outcome, 1)
	go func() {
		receipts, err := n.Append(t.Context(), drafts...)
		told <- outcome{receipts, err}
	}()
	return told
}

// TestFullBatchesSideBySide: each caller fills a batch. Some use the same keys, some none, and one cannot be stored.
func TestFullBatchesSideBySide(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		const callers = 4 // of each kind
		follower := n.follow(t, n.local.Hints())
		var keyed, free, bad []<-chan outcome
		release := n.stall(t)
		for i := range callers {
			keyed = append(keyed, n.send(t, func(k int) journal.Draft { return repeatable("user:1", fmt.Sprintf("key %d", k), "digest") }))
			free = append(free, n.send(t, func(k int) journal.Draft { return draft("user:2", fmt.Sprintf("%d of %d", k, i)) }))
		}
		if n.db.Dialect == services.Postgres { // which cannot store this
			bad = append(bad, n.send(t, func(k int) journal.Draft {
				d := draft("user:3", k)
				if k == fullBatch/2 {
					d.Payload = []byte("\"\x00\"")
				}
				return d
			}))
		}
		release()

		madeOnce(t, keyed)
		for _, told := range free {
			o := <-told
			must(t, o.err)
			if first, last := o.receipts[0].Offset, o.receipts[fullBatch-1].Offset; last-first != fullBatch-1 {
				t.Errorf("a caller's %d entries are at %d to %d", fullBatch, first, last)
			}
		}
		for _, told := range bad {
			if o := <-told; o.err == nil {
				t.Error("what cannot be stored was acknowledged")
			}
		}
		const want = fullBatch * (1 + callers)
		for offset := int64(1); offset <= want; offset++ {
			follower.next(t, offset)
		}
		n.Close()
		if head, stored := n.number(t, "SELECT head FROM log_head"), n.number(t, "SELECT count(*) FROM entries"); head != want || stored != want {
			t.Errorf("head %d, %d entries; want %d of each", head, stored, want)
		}
	})
}

// madeOnce: of those who used the same keys one made the entries, and all were told where they are.
func madeOnce(t *testing.T, keyed []<-chan outcome) {
	t.Helper()
	fresh := 0
	var firsts, lasts []int64
	for _, told := range keyed {
		o := <-told
		must(t, o.err)
		if !o.receipts[0].Replayed {
			fresh++
		}
		firsts, lasts = append(firsts, o.receipts[0].Offset), append(lasts, o.receipts[fullBatch-1].Offset)
	}
	if firsts, lasts = slices.Compact(firsts), slices.Compact(lasts); fresh != 1 || len(firsts) != 1 || len(lasts) != 1 {
		t.Errorf("%d callers made it, first at %v, last at %v", fresh, firsts, lasts)
	}
}

// TestLockHeldForLong: a statement may wait for the lock for 3 s, its callers for longer.
func TestLockHeldForLong(t *testing.T) {
	t.Parallel()
	n := open(t, testpg.Database(t))
	// attempt is when the statement that waits for the log's lock began, in µs; 0 = none waits.
	const attempt = `SELECT COALESCE(max(extract(epoch FROM query_start) * 1000000)::bigint, 0) FROM pg_stat_activity
		WHERE datname = current_database() AND wait_event = 'advisory'`
	release := n.stall(t)
	told := make(chan error, 1)
	go func() {
		_, err := n.Append(t.Context(), draft("user:1", "patient"))
		told <- err
	}()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for first := int64(0); ; {
		select {
		case err := <-told:
			t.Fatalf("answered while the lock was held: %v", err)
		case <-deadline:
			t.Fatal("there was no second attempt")
		case <-tick.C:
		}
		began := n.number(t, attempt)
		if first == 0 {
			first = began
		}
		if began > first {
			break
		}
	}
	release()
	must(t, <-told)
}
