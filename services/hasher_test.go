package services

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/alexedwards/argon2id"

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

// TestHasherDecoy: for a name that is unknown a hash is made at the cost of any other, and no password fits.
func TestHasherDecoy(t *testing.T) {
	t.Parallel()
	h := NewHasher(HashCost{Memory: 16, Passes: 2, Lanes: 2})
	params, salt, key, err := argon2id.DecodeHash(h.decoy)
	if err != nil {
		t.Fatal(err)
	}
	if *params != h.params || len(salt) != int(h.params.SaltLength) || len(key) != int(h.params.KeyLength) {
		t.Errorf("the decoy is of %+v, hashes of %+v", *params, h.params)
	}
	if h.decoy == NewHasher(HashCost{Memory: 16, Passes: 2, Lanes: 2}).decoy {
		t.Error("there is one decoy for all")
	}
	for _, password := range []string{"", "a password"} {
		if fits, err := h.Verify(t.Context(), password, ""); err != nil || fits {
			t.Errorf("%q of nobody: %v, %v", password, fits, err)
		}
	}
}
