package services

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"belfry/models"
)

// TestHasherLine: beyond the line one is sent away at once, and counted; who leaves it makes room.
func TestHasherLine(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := NewHasher(HashCost{Memory: 8, Passes: 1, Lanes: 1})
		for range cap(h.slots) {
			h.slots <- struct{}{} // all of them are at work, and stay there
			h.line <- struct{}{}
		}
		ctx, giveUp := context.WithCancel(t.Context())
		waiting := cap(h.line) - len(h.line)
		gone := make(chan error)
		for range waiting {
			go func() {
				_, err := h.Verify(ctx, "a password", "")
				gone <- err
			}()
		}
		synctest.Wait()
		select {
		case err := <-gone:
			t.Fatalf("sent away from a line that is not full: %v", err)
		default:
		}
		_, err := h.Hash(t.Context(), "a password")
		if e := refused(t, "one too many", err, models.CodeUnavailable); e.RetryAfter <= 0 || h.refusals.Load() != 1 {
			t.Errorf("come again after %v, %d counted", e.RetryAfter, h.refusals.Load())
		}
		giveUp()
		for range waiting {
			if err := <-gone; !errors.Is(err, context.Canceled) {
				t.Errorf("gave up with %v", err)
			}
		}
		<-h.slots
		<-h.line
		if _, err := h.Hash(t.Context(), "a password"); err != nil {
			t.Errorf("with room again: %v", err)
		}
		if left := cap(h.slots) - 1; len(h.line) != left || len(h.slots) != left {
			t.Errorf("%d in the line and %d at work, want %d", len(h.line), len(h.slots), left)
		}
	})
}
