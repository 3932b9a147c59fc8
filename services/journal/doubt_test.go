package journal_test

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"belfry/services/announce"
	"belfry/services/journal"
)

// absent is a log that is empty, and sometimes away.
type absent struct{ away atomic.Bool }

func (s *absent) err() error {
	if s.away.Load() {
		return errors.New("away")
	}
	return nil
}

func (s *absent) Head(context.Context) (journal.Head, error) {
	return journal.Head{Epoch: "e", Now: time.Now().UnixMilli()}, s.err()
}

func (s *absent) Commit(context.Context, []journal.Draft) ([]journal.Receipt, error) {
	return nil, s.err()
}
func (*absent) After(context.Context, int64, int) ([]journal.Entry, error) { return nil, nil }
func (*absent) Between(context.Context, int64, int64, []journal.Grant, int) ([]journal.Entry, error) {
	return nil, nil
}
func (*absent) ReplaceEpoch(context.Context, string, string) error { return nil }

// TestNodeDoubtsWhatItRemembers as soon as the database has not answered, and not only when its last look has become old: a lock
// by another node may be what it does not hear of.
func TestNodeDoubtsWhatItRemembers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &absent{}
		j, err := journal.OpenStore(t.Context(), store, announce.NewLocal(), slog.New(slog.DiscardHandler))
		must(t, err)
		defer j.Close()
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		go j.Follow(ctx, nil, func(journal.Entry) {}, func(journal.Head) {})
		is := func(what string, want bool) {
			t.Helper()
			synctest.Wait()
			if _, fresh := j.Fresh(); fresh != want {
				t.Errorf("%s: fresh %v", what, fresh)
			}
		}
		look := func() { time.Sleep(600 * time.Millisecond) } // a little longer than from one look to the next
		is("it has looked", true)
		store.away.Store(true)
		if _, err := j.Append(t.Context(), draft("everyone", 1)); err == nil {
			t.Error("appended to what is away")
		}
		is("a commit has failed", false)
		store.away.Store(false)
		look()
		is("it has looked again", true)
		store.away.Store(true)
		look()
		is("a look has failed", false)
	})
}
