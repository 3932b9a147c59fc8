package journal_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"gorm.io/gorm"

	"belfry/services/journal"
)

func offsetsOf(entries []journal.Entry) []int64 {
	offsets := make([]int64, len(entries))
	for i, e := range entries {
		offsets[i] = e.Offset
	}
	return offsets
}

func TestRangeIsByAudience(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		// 1 user:1 · 2 group:9 · 3 everyone · 4 user:2 · 5 user:1 and group:9 · 6 group:9 · 7 user:10
		for i, audiences := range [][]string{{"user:1"}, {"group:9"}, {"everyone"}, {"user:2"}, {"user:1", "group:9"}, {"group:9"}, {"user:10"}} {
			d := draft("", i)
			d.Audiences = audiences
			n.append(t, d)
		}
		me := journal.Grant{Audience: "user:1"}
		cases := []struct {
			name        string
			after, upTo int64
			grants      []journal.Grant
			want        []int64
		}{
			{"own", 0, 7, []journal.Grant{me}, []int64{1, 5}},
			{"several ways, once", 0, 7, []journal.Grant{me, {Audience: "group:9"}}, []int64{1, 2, 5, 6}},
			{"group newer than joining", 0, 7, []journal.Grant{{Audience: "group:9", After: 2}}, []int64{5, 6}},
			{"everyone newer than account", 0, 7, []journal.Grant{{Audience: "everyone", After: 3}}, nil},
			{"own after joining a group late", 0, 7, []journal.Grant{me, {Audience: "group:9", After: 5}}, []int64{1, 5, 6}},
			{"after the position", 1, 7, []journal.Grant{me}, []int64{5}},
			{"not beyond", 0, 4, []journal.Grant{me}, []int64{1}},
			{"nothing between", 7, 7, []journal.Grant{me}, nil},
			{"a name that another begins with", 0, 7, []journal.Grant{{Audience: "user:10"}}, []int64{7}},
		}
		for _, c := range cases {
			entries, upTo, err := n.Range(t.Context(), c.after, c.upTo, c.grants, 100)
			must(t, err)
			if !slices.Equal(offsetsOf(entries), c.want) || upTo != c.upTo {
				t.Errorf("%s: %v up to %d, want %v up to %d", c.name, offsetsOf(entries), upTo, c.want, c.upTo)
			}
		}
	})
}

func TestRangeInSteps(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		for i := range 25 {
			n.append(t, draft(fmt.Sprint("user:", i%2), i))
		}
		var got []int64
		after, steps := int64(0), 0
		for after < 25 {
			entries, upTo, err := n.Range(t.Context(), after, 25, []journal.Grant{{Audience: "user:0"}}, 5)
			must(t, err)
			if upTo <= after || len(entries) > 5 {
				t.Fatalf("a step from %d to %d with %d entries", after, upTo, len(entries))
			}
			got, after, steps = append(got, offsetsOf(entries)...), upTo, steps+1
		}
		want := []int64{1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25}
		if !slices.Equal(got, want) || steps != 3 {
			t.Errorf("%v in %d steps", got, steps)
		}
	})
}

func TestTrim(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		const old, kept = 1200, 3 // more than one transaction deletes
		for range old / 100 {
			_, err := n.Transact(t.Context(), func(*gorm.DB) ([]journal.Draft, error) {
				drafts := make([]journal.Draft, 100)
				for i := range drafts {
					drafts[i] = draft(fmt.Sprint("user:", i%7), i)
				}
				return drafts, nil
			})
			must(t, err)
		}
		n.run(t, "UPDATE entries SET created_at = created_at - 3600000")
		for i := range kept {
			n.append(t, draft("user:1", i))
		}
		total, err := n.Trim(t.Context(), time.Now().Add(-time.Minute).UnixMilli())
		must(t, err)
		if total != old {
			t.Errorf("%d trimmed, want %d", total, old)
		}
		head, err := n.Head(t.Context())
		must(t, err)
		if head.Trimmed != old || head.Offset != old+kept {
			t.Errorf("%+v", head)
		}
		for _, table := range []string{"entries", "recipients"} {
			if left := n.number(t, "SELECT count(*) FROM "+table); left != kept {
				t.Errorf("%d left in %s, want %d", left, table, kept)
			}
		}
		if total, err := n.Trim(t.Context(), time.Now().Add(-time.Minute).UnixMilli()); total != 0 || err != nil {
			t.Errorf("again: %d, %v", total, err)
		}
		if r := n.append(t, draft("user:1", "next")); r.Offset != old+kept+1 {
			t.Errorf("the next offset is %d", r.Offset)
		}
	})
}

// TestFixHoldsTheHead: while a transaction has fixed the head, no publish gets an offset, and the
// transaction's own entry gets the one after it.
func TestFixHoldsTheHead(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		n.append(t, draft("everyone", 0))
		published := make(chan journal.Receipt, 1)
		receipts, err := n.Transact(t.Context(), func(tx *gorm.DB) ([]journal.Draft, error) {
			head, err := n.Fix(tx)
			if err != nil || head.Offset != 1 {
				t.Errorf("head %+v, %v", head, err)
			}
			go func() {
				r, err := n.appendOne(t.Context(), draft("everyone", "other"))
				if err != nil {
					t.Error(err)
				}
				published <- r
			}()
			n.awaitWaiting(t, tx)
			if again, err := journal.HeadIn(tx); err != nil || again.Offset != head.Offset || len(published) != 0 {
				t.Errorf("the head moved from %d to %d, %v", head.Offset, again.Offset, err)
			}
			return []journal.Draft{draft("everyone", "mine")}, nil
		})
		must(t, err)
		if other := <-published; receipts[0].Offset != 2 || other.Offset != 3 {
			t.Errorf("mine got %d, the other %d", receipts[0].Offset, other.Offset)
		}
	})
}

// awaitWaiting returns when another writer stands behind the transaction.
func (n *node) awaitWaiting(t *testing.T, tx *gorm.DB) {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		var waiting int64
		if n.db.Dialect == "postgres" {
			must(t, tx.Raw("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())").Scan(&waiting).Error)
		} else {
			waiting = n.db.SQL().Stats().WaitCount
		}
		if waiting > 0 {
			return
		}
	}
	t.Error(errors.New("nobody waits for the transaction"))
}
