package journal_test

import (
	"fmt"
	"slices"
	"testing"

	"belfry/services"
	"belfry/services/journal"
)

// TestFullBatchesSideBySide: each caller fills a batch. Some use the same keys, some none, and one cannot be stored.
func TestFullBatchesSideBySide(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		const each, alike, others = 500, 4, 4
		fill := func(make func(i int) journal.Draft) []journal.Draft {
			drafts := []journal.Draft{}
			for i := range each {
				drafts = append(drafts, make(i))
			}
			return drafts
		}
		follower := n.follow(t, n.local.Hints())
		type outcome struct {
			receipts []journal.Receipt
			err      error
		}
		release := n.stall(t)
		keyed, free, bad := make(chan outcome, alike), make(chan outcome, others), make(chan outcome, 1)
		send := func(to chan<- outcome, drafts []journal.Draft) {
			go func() {
				receipts, err := n.AppendAll(t.Context(), drafts)
				to <- outcome{receipts, err}
			}()
		}
		for i := range max(alike, others) {
			send(keyed, fill(func(k int) journal.Draft { return repeatable("user:1", fmt.Sprintf("key %d", k), "digest") }))
			send(free, fill(func(k int) journal.Draft { return draft("user:2", fmt.Sprintf("%d of %d", k, i)) }))
		}
		if n.db.Dialect == services.Postgres { // which cannot store this
			drafts := fill(func(k int) journal.Draft { return draft("user:3", k) })
			drafts[each/2].Payload = []byte("\"\x00\"")
			send(bad, drafts)
		} else {
			bad <- outcome{err: journal.ErrFull}
		}
		release()

		fresh := 0
		var offsets []int64 // of the keyed ones
		for range alike {
			o := <-keyed
			must(t, o.err)
			if !o.receipts[0].Replayed {
				fresh++
			}
			offsets = append(offsets, o.receipts[0].Offset, o.receipts[each-1].Offset)
		}
		slices.Sort(offsets)
		if fresh != 1 || offsets[0] != offsets[alike-1] || offsets[alike] != offsets[2*alike-1] {
			t.Errorf("%d callers made what was asked for once, first and last at %v", fresh, offsets)
		}
		for range others {
			o := <-free
			must(t, o.err)
			if first, last := o.receipts[0].Offset, o.receipts[each-1].Offset; last-first != each-1 {
				t.Errorf("a caller's %d entries are at %d to %d", each, first, last)
			}
		}
		if o := <-bad; o.err == nil {
			t.Error("what cannot be stored was acknowledged")
		}
		const want = each * (1 + others)
		for offset := int64(1); offset <= want; offset++ {
			follower.next(t, offset)
		}
		n.Close()
		if head, stored := n.number(t, "SELECT head FROM log_head"), n.number(t, "SELECT count(*) FROM entries"); head != want || stored != want {
			t.Errorf("head %d, %d entries; want %d of each", head, stored, want)
		}
	})
}
