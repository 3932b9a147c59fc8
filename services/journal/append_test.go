package journal_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"gorm.io/gorm"

	"belfry/internal/testpg"
	"belfry/services/journal"
)

var errRefused = errors.New("refused by the business rule")

// ledger is what appenders were told, by offset.
type ledger struct {
	mu   sync.Mutex
	told map[int64]string
}

func (l *ledger) note(t *testing.T, name string, r journal.Receipt) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if other, taken := l.told[r.Offset]; taken {
		t.Errorf("offset %d was given to %s and to %s", r.Offset, other, name)
	}
	l.told[r.Offset] = name
}

// publish appends from 32 goroutines, and from 8 others in transactions of which every third fails.
func (l *ledger) publish(t *testing.T, n *node) {
	var wg sync.WaitGroup
	for w := range 32 {
		wg.Go(func() {
			last := int64(0)
			for i := range 8 {
				name := fmt.Sprintf("a%d-%d", w, i)
				r, err := n.appendOne(t.Context(), draft("everyone", name))
				if err != nil || r.Offset <= last || r.CreatedAt == 0 {
					t.Errorf("append after offset %d: %+v, %v", last, r, err)
				}
				last = r.Offset
				l.note(t, name, r)
			}
		})
	}
	for w := range 8 {
		wg.Go(func() {
			for i := range 9 {
				name := fmt.Sprintf("t%d-%d", w, i)
				receipts, err := n.Transact(t.Context(), func(*gorm.DB) ([]journal.Draft, error) {
					drafts := []journal.Draft{draft("everyone", name), draft("user:1", name)}
					if i%3 == 2 {
						return drafts, errRefused
					}
					return drafts, nil
				})
				if refused := i%3 == 2; refused != errors.Is(err, errRefused) {
					t.Errorf("transaction %s: %v", name, err)
				}
				for _, r := range receipts {
					l.note(t, name, r)
				}
			}
		})
	}
	wg.Wait()
}

func TestOffsetsAreContiguousAndInCommitOrder(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		f := n.follow(t, n.local.Hints())
		// Whoever reads at any moment sees the log without a hole: an offset that showed before an
		// earlier one would be skipped by every reader of "what is newer".
		done := make(chan struct{})
		var reader sync.WaitGroup
		reader.Go(func() {
			for looks := 0; ; looks++ {
				var seen struct{ Top, Count int64 }
				err := n.db.Read.Raw("SELECT COALESCE(max(log_offset), 0) AS top, count(*) AS count FROM entries").Scan(&seen).Error
				if err != nil || seen.Top != seen.Count {
					t.Errorf("look %d: %+v, %v", looks, seen, err)
				}
				select {
				case <-done:
					return
				default:
				}
			}
		})
		l := &ledger{told: map[int64]string{}}
		l.publish(t, n)
		close(done)
		reader.Wait()

		const want = 32*8 + 8*6*2
		if len(l.told) != want || n.number(t, "SELECT head FROM log_head") != want {
			t.Fatalf("%d receipts, head %d; want %d of each", len(l.told), n.number(t, "SELECT head FROM log_head"), want)
		}
		for offset := int64(1); offset <= want; offset++ {
			e := f.next(t, offset)
			if name := fmt.Sprintf(`{"name":"%s"}`, l.told[offset]); string(e.Payload) != name {
				t.Errorf("offset %d holds %s, its appender was told %s", offset, e.Payload, name)
			}
		}
	})
}

func TestEntryComesBackAsItWasAppended(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		d := journal.Draft{Kind: "notice", Actor: "key:7", Topic: "builds", CollapseKey: "nightly", Audiences: []string{"user:1", "group:2", "user:1"},
			Payload: []byte(`{"text":"日本 \u0000 \"quoted\" 'single' 100%"}`), ExpiresAt: 1_900_000_000_123}
		r := n.append(t, d)
		about := n.append(t, journal.Draft{Kind: "notice_state", Subject: r.Offset, Audiences: []string{"user:1"}, Payload: []byte("{}")})

		check := func(where string, e journal.Entry) {
			t.Helper()
			if e.Offset != r.Offset || e.Subject != r.Offset || e.Kind != d.Kind || e.Actor != d.Actor || e.Topic != d.Topic || e.CollapseKey != d.CollapseKey ||
				!slices.Equal(e.Audiences, d.Audiences) || string(e.Payload) != string(d.Payload) || e.ExpiresAt != d.ExpiresAt || e.CreatedAt != r.CreatedAt || e.WithdrawnAt != 0 {
				t.Errorf("%s: got %+v from %+v", where, e, d)
			}
		}
		stored, _, err := n.Range(t.Context(), 0, about.Offset, []journal.Grant{{Audience: "user:1"}}, 10)
		must(t, err)
		if len(stored) != 2 {
			t.Fatalf("%d entries for an audience that was named twice in one; want 2", len(stored))
		}
		check("stored", stored[0])
		if stored[1].Subject != r.Offset {
			t.Errorf("the second is about %d, want %d", stored[1].Subject, r.Offset)
		}
		f := n.follow(t, n.local.Hints())
		check("followed", f.next(t, 1))
		f.next(t, 2)
	})
}

func TestTransactIsOneWithItsEntries(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		insert := "INSERT INTO secrets (name, value, created_at) VALUES (?, 'x', 0)"
		count := func(name string) int64 { return n.number(t, "SELECT count(*) FROM secrets WHERE name = ?", name) }

		// Refused: neither the row nor the entry, and the next entry follows without a hole.
		_, err := n.Transact(t.Context(), func(tx *gorm.DB) ([]journal.Draft, error) {
			must(t, tx.Exec(insert, "refused").Error)
			return []journal.Draft{draft("everyone", 0)}, errRefused
		})
		if !errors.Is(err, errRefused) || count("refused") != 0 {
			t.Errorf("refused: %v, %d rows", err, count("refused"))
		}
		// The append itself fails, after the row was written.
		_, err = n.Transact(t.Context(), func(tx *gorm.DB) ([]journal.Draft, error) {
			must(t, tx.Exec(insert, "torn").Error)
			must(t, tx.Exec("ALTER TABLE recipients RENAME TO away").Error)
			return []journal.Draft{draft("everyone", 0)}, nil
		})
		if err == nil || count("torn") != 0 {
			t.Errorf("torn: %v, %d rows", err, count("torn"))
		}
		// The caller hangs up: the transaction runs to its end all the same.
		gone, cancel := context.WithCancel(t.Context())
		receipts, err := n.Transact(gone, func(tx *gorm.DB) ([]journal.Draft, error) {
			cancel()
			return []journal.Draft{draft("everyone", 1), draft("everyone", 2)}, tx.Exec(insert, "kept").Error
		})
		must(t, err)
		if len(receipts) != 2 || receipts[0].Offset != 1 || receipts[1].Offset != 2 || count("kept") != 1 {
			t.Errorf("kept: %+v, %d rows", receipts, count("kept"))
		}
		// Nothing to tell: the change stands, the log does not move.
		receipts, err = n.Transact(t.Context(), func(tx *gorm.DB) ([]journal.Draft, error) { return nil, tx.Exec(insert, "silent").Error })
		must(t, err)
		if len(receipts) != 0 || count("silent") != 1 || n.number(t, "SELECT head FROM log_head") != 2 {
			t.Errorf("silent: %+v, head %d", receipts, n.number(t, "SELECT head FROM log_head"))
		}
	})
}

// TestFullQueueRefuses needs no second database: the queue is the journal's own. Who has half of it is turned away, and the
// others are not before it is full.
func TestFullQueueRefuses(t *testing.T) {
	t.Parallel()
	n := open(t, testpg.Database(t))
	release := n.stall(t)
	const stalled = 1_000 // two transactions at most that stall: what is in them waits no more
	accepted := n.fill(t, "key:1")
	if accepted < 5_000 || accepted > 5_000+stalled {
		t.Errorf("one is turned away after %d", accepted)
	}
	accepted += n.fill(t, "key:2")
	accepted += n.fill(t, "key:3")
	if accepted < 10_000 || accepted > 10_000+stalled {
		t.Errorf("full after %d", accepted)
	}
	release()
	n.Close()
	if stored := n.number(t, "SELECT count(*) FROM entries"); stored != accepted {
		t.Errorf("%d entries of %d accepted", stored, accepted)
	}
}

// fill appends until an actor is turned away, and says how many were taken.
func (n *node) fill(t *testing.T, actor string) (accepted int64) {
	t.Helper()
	for {
		err := n.leaveBy(t, actor, accepted)
		if errors.Is(err, journal.ErrFull) {
			return accepted
		}
		if accepted++; !errors.Is(err, context.Canceled) || accepted > 20_000 {
			t.Fatalf("append %d: %v", accepted, err)
		}
	}
}

// leave appends and does not wait for the outcome.
func (n *node) leave(t *testing.T, name any) error { return n.leaveBy(t, "user:1", name) }

func (n *node) leaveBy(t *testing.T, actor string, name any) error {
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	d := draft("user:1", name)
	d.Actor = actor
	_, err := n.Append(gone, d)
	return err
}

func TestCloseFinishesTheQueue(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		const accepted = 700 // more than one batch
		release := n.stall(t)
		for i := range accepted {
			if err := n.leave(t, i); !errors.Is(err, context.Canceled) {
				t.Fatalf("append %d: %v", i, err)
			}
		}
		release()
		n.Close()
		if stored := n.number(t, "SELECT count(*) FROM entries"); stored != accepted {
			t.Errorf("%d entries of %d accepted", stored, accepted)
		}
		if _, err := n.Append(t.Context(), draft("user:1", "late")); !errors.Is(err, journal.ErrClosed) {
			t.Errorf("append after Close: %v", err)
		}
	})
}

func TestSeveralAreOneStretchOfTheLog(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		n.append(t, repeatable("user:1", "used", "other"))
		drafts := []journal.Draft{draft("user:1", 0), repeatable("user:1", "k", "d"), repeatable("user:1", "used", "d"), draft("user:2", 3)}
		for range 2 { // the keyed one is appended once, the others again
			_, err := n.Append(t.Context(), drafts...)
			must(t, err)
		}
		receipts, err := n.Append(t.Context(), drafts...)
		must(t, err)
		if len(receipts) != 4 || receipts[0].Offset != 7 || !receipts[1].Replayed || receipts[1].Offset != 3 || !receipts[2].Reused() || receipts[3].Offset != 8 {
			t.Errorf("%+v", receipts)
		}
	})
}

// TestManyAreStoredEachAsItIs: statements take several rows, and the last of them what is left.
func TestManyAreStoredEachAsItIs(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		drafts := make([]journal.Draft, 29)
		for i := range drafts {
			drafts[i] = draft("user:1", i)
			drafts[i].Topic = fmt.Sprintf("topic %d", i)
			for j := range i % 5 {
				drafts[i].Audiences = append(drafts[i].Audiences, fmt.Sprintf("group:%d", j))
			}
			if i%3 == 0 {
				drafts[i].Once = repeatable("", fmt.Sprint(i), "d").Once
			}
		}
		receipts, err := n.Append(t.Context(), drafts...)
		must(t, err)
		again, err := n.Append(t.Context(), drafts...)
		must(t, err)
		for i, d := range drafts {
			if d.Once != nil && (!again[i].Replayed || again[i].Offset != receipts[i].Offset) {
				t.Errorf("the %dth again: %+v, first %+v", i, again[i], receipts[i])
			}
		}
		for group := range 4 {
			var want []string
			for _, d := range drafts {
				if slices.Contains(d.Audiences, fmt.Sprintf("group:%d", group)) {
					want = append(want, d.Topic)
				}
			}
			var got []string
			stored, _, err := n.Range(t.Context(), 0, receipts[len(receipts)-1].Offset, []journal.Grant{{Audience: fmt.Sprintf("group:%d", group)}}, 100)
			must(t, err)
			for _, e := range stored {
				i := int(e.Offset - receipts[0].Offset)
				got = append(got, e.Topic)
				if !slices.Equal(e.Audiences, drafts[i].Audiences) || string(e.Payload) != string(drafts[i].Payload) {
					t.Errorf("%+v of %+v", e, drafts[i])
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("group %d: %v, want %v", group, got, want)
			}
		}
	})
}

// TestOneThatIsRejectedSpoilsNoOther: they shared a transaction.
func TestOneThatIsRejectedSpoilsNoOther(t *testing.T) {
	t.Parallel()
	n := open(t, testpg.Database(t))
	bad := draft("user:1", "bad")
	bad.Payload = []byte("\"\x00\"") // which PostgreSQL cannot store
	release := n.stall(t)
	outcomes := make(chan error, 7)
	for i := range cap(outcomes) {
		d := draft("user:1", i)
		if i == 3 {
			d = bad
		}
		go func() {
			_, err := n.Append(t.Context(), d)
			outcomes <- err
		}()
	}
	release()
	failed := 0
	for range cap(outcomes) {
		if err := <-outcomes; err != nil {
			failed++
		}
	}
	if stored := n.number(t, "SELECT count(*) FROM entries"); failed != 1 || stored != 6 {
		t.Errorf("%d failed, %d are stored", failed, stored)
	}
}
