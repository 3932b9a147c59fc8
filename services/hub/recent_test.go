package hub_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"belfry/services/hub"
)

func TestReplayReachesBackAsFarAsMemory(t *testing.T) {
	t.Parallel()
	h := hub.New(0, 6)
	for offset := int64(1); offset <= 7; offset++ { // the seventh is one too many: half go
		h.Deliver(offset, []string{"user:1", "everyone"}[offset%2:offset%2+1], frame(offset))
	}
	far, near := behind(h, 3, "user:1", "everyone"), behind(h, 4, "user:1", "everyone")
	if h.Replay(far, 0) {
		t.Error("a replay from what memory has forgotten")
	}
	far.Advance([]*hub.Frame{frame(4)}, 4) // as read from the log
	if !h.Replay(far, 0) || !h.Replay(near, 0) {
		t.Error("no replay of what memory holds")
	}
	h.Deliver(8, []string{"everyone"}, frame(8))
	expect(t, far, "4 5 6 7 8")
	expect(t, near, "5 6 7 8")
	h.Reset(20)
	if h.Replay(behind(h, 19, "user:1"), 0) || !h.Replay(behind(h, 20, "user:1"), 0) {
		t.Error("memory of another epoch")
	}
}

// behind adds a connection that has to replay from pos.
func behind(h *hub.Hub, pos int64, audiences ...string) *hub.Conn {
	c := h.Add(pos, audiences[:1], classAll, false)
	h.Settle(c, c.Turn(), grants(audiences...), false)
	return c
}

func TestReplayLeavesOutWhatHasExpired(t *testing.T) {
	t.Parallel()
	h := hub.New(0, hub.RecentEntries)
	for offset, expires := range []time.Time{{}, time.Now().Add(-time.Second), time.Now().Add(time.Hour)} {
		f := frame(int64(offset) + 1)
		if !expires.IsZero() {
			f.ExpiresAt = expires.UnixMilli()
		}
		h.Deliver(f.Offset, []string{"user:1"}, f)
	}
	c := behind(h, 0, "user:1")
	h.Replay(c, 0)
	expect(t, c, "1 3")
}

func TestReplayLeavesOutWhatIsVoid(t *testing.T) {
	t.Parallel()
	h := hub.New(0, hub.RecentEntries)
	for offset := int64(1); offset <= 3; offset++ {
		h.Deliver(offset, []string{"user:1", "everyone"}, frame(offset))
	}
	h.Deliver(4, []string{"user:1"}, nil) // it had expired
	h.Deliver(5, []string{"user:1"}, frame(5))
	h.Void(2, []string{"user:1", "user:7"})
	h.Void(4, []string{"user:1"}) // memory has none of it, and what follows is another's
	h.Void(9, []string{"user:1"})
	c := behind(h, 0, "user:1", "everyone")
	h.Replay(c, 0)
	expect(t, c, "1 3 5")
}

// TestLongReplayGoesInSteps: what is queued at once stays well within the queue.
func TestLongReplayGoesInSteps(t *testing.T) {
	t.Parallel()
	h := hub.New(0, hub.RecentEntries)
	const entries, size = 100, 30 << 10
	for offset := int64(1); offset <= entries; offset++ {
		h.Deliver(offset, []string{"user:1"}, entry(offset, classA, strings.Repeat("x", size)))
	}
	c := behind(h, 0, "user:1")
	got, steps := 0, 0
	for steps < entries {
		frames, replay, over := now(c)
		got += len(frames)
		if got == entries || over && len(frames) == 0 {
			break
		}
		if replay {
			steps++
			h.Replay(c, 0)
		}
	}
	if got != entries || steps < 10 || c.Cause() != hub.CauseNone {
		t.Errorf("%d of %d entries in %d steps, cause %v", got, entries, steps, c.Cause())
	}
}

func TestAwait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := hub.New(0, hub.RecentEntries)
		reached := make(chan error, 1)
		go func() { reached <- h.Await(t.Context(), 2) }()
		h.Deliver(1, nil, nil)
		synctest.Wait()
		if len(reached) != 0 {
			t.Error("waited for 2 and came back at 1")
		}
		h.Deliver(2, nil, nil)
		if err := <-reached; err != nil {
			t.Error(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if h.Await(ctx, 3) == nil {
			t.Error("came back from waiting for what did not come")
		}
	})
}
