package journal_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"belfry/services/journal"
)

func repeatable(principal, key, digest string) journal.Draft {
	d := draft("user:1", key)
	d.Once = &journal.Once{Principal: principal, Key: key, Digest: digest}
	return d
}

func TestOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		first := n.append(t, repeatable("user:1", "k", "d"))
		again := n.append(t, repeatable("user:1", "k", "d"))
		if first.Replayed || !again.Replayed || again.Offset != first.Offset || again.CreatedAt != first.CreatedAt {
			t.Errorf("first %+v, again %+v", first, again)
		}
		if other := n.append(t, repeatable("user:1", "k", "other")); !other.Reused() {
			t.Errorf("another request under the key: %+v", other)
		}
		if other := n.append(t, repeatable("user:2", "k", "other")); other.Replayed || other.Offset != 2 {
			t.Errorf("another principal's: %+v", other)
		}
		n.run(t, "UPDATE idempotency_keys SET created_at = created_at - ? WHERE principal = 'user:1'", journal.OnceWindow.Milliseconds()-60_000)
		if young := n.append(t, repeatable("user:1", "k", "d")); !young.Replayed {
			t.Errorf("a minute before the window ends: %+v", young)
		}
		n.run(t, "UPDATE idempotency_keys SET created_at = created_at - 60001 WHERE principal = 'user:1'")
		if old := n.append(t, repeatable("user:1", "k", "other")); old.Replayed || old.Offset != 3 {
			t.Errorf("after the window: %+v", old)
		}
		if again := n.append(t, repeatable("user:1", "k", "other")); !again.Replayed || again.Offset != 3 {
			t.Errorf("the new use of an old key: %+v", again)
		}
	})
}

// TestOnceUnderContention sends each of a few keys from many goroutines at once, so that some meet
// within one batch.
func TestOnceUnderContention(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		release := n.stall(t) // so that they do meet
		var wg sync.WaitGroup
		var mu sync.Mutex
		fresh, offsets := map[int]int{}, map[int]map[int64]bool{}
		for i := range 40 {
			key := i % 4
			wg.Go(func() {
				r, err := n.appendOne(t.Context(), repeatable("user:1", fmt.Sprint("k", key), "d"))
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					t.Errorf("key %d: %v", key, err)
				}
				if !r.Replayed {
					fresh[key]++
				}
				if offsets[key] == nil {
					offsets[key] = map[int64]bool{}
				}
				offsets[key][r.Offset] = true
			})
		}
		release()
		wg.Wait()
		for key := range 4 {
			if fresh[key] != 1 || len(offsets[key]) != 1 {
				t.Errorf("key %d was fresh %d times, at %v", key, fresh[key], offsets[key])
			}
		}
		if n.number(t, "SELECT head FROM log_head") != 4 {
			t.Errorf("head %d", n.number(t, "SELECT head FROM log_head"))
		}
	})
}

// TestUnknownOutcomeMayBeRepeated hangs up while the commit waits, then asks again under the same key.
func TestUnknownOutcomeMayBeRepeated(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		release := n.stall(t)
		gone, cancel := context.WithCancel(t.Context())
		outcome := make(chan error, 1)
		go func() {
			_, err := n.Append(gone, repeatable("user:1", "k", "d"))
			outcome <- err
		}()
		cancel()
		if err := <-outcome; !errors.Is(err, context.Canceled) {
			t.Errorf("the caller that hung up was told %v", err)
		}
		release()
		// It may have been accepted before the caller left, or not; either way there is one entry.
		r := n.append(t, repeatable("user:1", "k", "d"))
		if r.Offset != 1 || n.number(t, "SELECT count(*) FROM entries") != 1 {
			t.Errorf("%+v, %d entries", r, n.number(t, "SELECT count(*) FROM entries"))
		}
	})
}
