package hub_test

import (
	"bytes"
	"context"
	"testing"
	"time"

	"belfry/services/hub"
)

// TestPulling: an owner that pulls is asked again after a nudge, also one that came while it looked, and gets of signals
// those alone that hold and release.
func TestPulling(t *testing.T) {
	t.Parallel()
	h := hub.New(0, 10)
	c := h.AddPulling(5, []string{"a"}, 1)
	h.Settle(c, c.Turn(), nil, false)
	next := func(want string, wantPull bool) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		texts, pull, over := c.Next(ctx)
		if got := string(bytes.Join(texts, nil)); got != want || pull != wantPull || over {
			t.Fatalf("%q, pull %t, over %t; want %q, %t", got, pull, over, want, wantPull)
		}
	}
	next("", true)
	turn := c.Turn()
	c.Nudge()
	c.Rest(turn)
	next("", true)
	c.Rest(c.Turn())
	c.Signal([]byte("a warning"))
	c.Release([]byte("active"))
	c.Nudge()
	next("", true)
	f := hub.NewFrame([]byte("text"))
	f.Offset, f.Class = 6, 1
	c.Advance([]*hub.Frame{f}, 10)
	c.Hold([]byte("locked"))
	next("locked", false)
	if pos, _ := c.Position(); pos != 5 {
		t.Errorf("what was taken back begins at %d", pos)
	}
	c.Nudge()
	c.Release([]byte("active"))
	next("active", true)
	h.Remove(c)
}
