package hub_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"belfry/services/hub"
	"belfry/services/journal"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what has to happen; only a failure takes it.
const patience = 20 * time.Second

const (
	classA hub.Class = 1 << iota
	classB
	classAll = classA | classB
)

func frame(offset int64) *hub.Frame {
	return entry(offset, classA, fmt.Sprintf("named:%d ", offset)).Nameless(len("named:"))
}

func entry(offset int64, class hub.Class, text string) *hub.Frame {
	f := hub.NewFrame([]byte(text))
	f.Offset, f.Class = offset, class
	return f
}

func grants(audiences ...string) (list []journal.Grant) {
	for _, a := range audiences {
		list = append(list, journal.Grant{Audience: a})
	}
	return list
}

// join adds a live connection that has everything up to pos.
func join(t *testing.T, h *hub.Hub, pos int64, wants hub.Class, may ...journal.Grant) *hub.Conn {
	t.Helper()
	c := h.Add(pos, []string{"session:s", "user:1"}, wants, false)
	settle(t, h, c, may...)
	return c
}

func settle(t *testing.T, h *hub.Hub, c *hub.Conn, may ...journal.Grant) {
	t.Helper()
	if !h.Settle(c, c.Turn(), may, false) {
		t.Fatal("not settled")
	}
	if !h.Replay(c, 0) {
		t.Fatal("not live")
	}
}

// now is Next that does not wait: over is true as well when there is nothing.
func now(c *hub.Conn) (texts [][]byte, replay, over bool) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return c.Next(ctx)
}

// taken is what waits for the connection now.
func taken(c *hub.Conn) string {
	texts, _, _ := now(c)
	return strings.TrimSpace(strings.ReplaceAll(string(bytes.Join(texts, nil)), "named:", ""))
}

func expect(t *testing.T, c *hub.Conn, want string) {
	t.Helper()
	if got := taken(c); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestDeliverGoesToTheAudienceOnce(t *testing.T) {
	t.Parallel()
	h := hub.New(0, hub.RecentEntries)
	one := join(t, h, 0, classAll, journal.Grant{Audience: "user:1"}, journal.Grant{Audience: "group:5", After: 3}, journal.Grant{Audience: "everyone", After: 2})
	other := join(t, h, 0, classAll, grants("user:2")...)
	narrow := join(t, h, 0, classB, grants("user:1")...)
	for offset, audiences := range [][]string{{"user:1"}, {"everyone"}, {"group:5"}, {"group:5"}, {"user:1", "group:5", "everyone"}, {"user:2", "everyone"}, {"nobody"}} {
		h.Deliver(int64(offset)+1, audiences, frame(int64(offset)+1))
	}
	h.Deliver(8, []string{"user:1"}, nil) // no event, only a place in the log
	expect(t, one, "1 4 5 6")
	expect(t, other, "6")
	expect(t, narrow, "")
	if h.Offset() != 8 {
		t.Errorf("offset %d", h.Offset())
	}
}

func TestUnnamed(t *testing.T) {
	t.Parallel()
	h := hub.New(0, hub.RecentEntries)
	c := h.Add(0, []string{"user:1"}, classAll, true)
	settle(t, h, c, grants("user:1")...)
	h.Deliver(1, []string{"user:1"}, frame(1))
	h.Deliver(2, []string{"user:1"}, entry(2, classB, "2"))
	expect(t, c, "1 2")
}

func TestNothingIsDeliveredBeforeItIsSettledAndLive(t *testing.T) {
	t.Parallel()
	h := hub.New(0, hub.RecentEntries)
	c := h.Add(0, []string{"user:1"}, classAll, false)
	h.Deliver(1, []string{"user:1"}, frame(1))
	c.Signal([]byte("signal"))
	expect(t, c, "signal")
	if !h.Settle(c, c.Turn(), grants("user:1"), false) {
		t.Fatal("not settled")
	}
	h.Deliver(2, []string{"user:1"}, frame(2))
	if _, replay, _ := now(c); !replay {
		t.Error("a settled connection is not told to read from the log")
	}
	if !h.Replay(c, 0) {
		t.Error("memory does not reach back")
	}
	h.Deliver(3, []string{"user:1"}, frame(3))
	expect(t, c, "1 2 3")
}

func TestHoldTakesBackAndReleaseReadsAgain(t *testing.T) {
	t.Parallel()
	h := hub.New(0, hub.RecentEntries)
	c := join(t, h, 0, classAll, grants("user:1")...)
	h.Deliver(1, []string{"user:1"}, frame(1))
	expect(t, c, "1")
	h.Deliver(2, []string{"user:1"}, frame(2))
	h.Deliver(3, []string{"user:1"}, frame(3))
	c.Signal([]byte("ping "))
	c.Hold([]byte("locked "))
	h.Deliver(4, []string{"user:1"}, frame(4))
	c.Signal([]byte("late"))
	expect(t, c, "ping locked late")
	if pos, _ := c.Position(); pos != 1 {
		t.Errorf("position %d while 2 and 3 are withheld", pos)
	}
	c.Advance([]*hub.Frame{frame(2)}, 2)
	if c.Restart([]byte("reset"), 4) {
		t.Error("started over while held, and what is withheld is lost")
	}
	expect(t, c, "")
	c.Release([]byte("active "))
	frames, replay, over := now(c)
	if len(frames) != 1 || string(frames[0]) != "active " || !replay || over {
		t.Errorf("after release: %q, replay %v, over %v", frames, replay, over)
	}
	h.Replay(c, 0)
	h.Deliver(5, []string{"user:1"}, frame(5))
	expect(t, c, "2 3 4 5")
}

// TestHoldReachesWhatASlowReaderHasNotTaken: little is taken at once, so that the rest can be withheld.
func TestHoldReachesWhatASlowReaderHasNotTaken(t *testing.T) {
	t.Parallel()
	h := hub.New(0, hub.RecentEntries)
	c := join(t, h, 0, classAll, grants("user:1")...)
	for offset := range int64(4) {
		h.Deliver(offset+1, []string{"user:1"}, entry(offset+1, classA, strings.Repeat("x", 30<<10)))
	}
	if frames, _, _ := now(c); len(frames) != 2 {
		t.Fatalf("%d frames of 30 KiB at once", len(frames))
	}
	c.Hold([]byte("locked"))
	expect(t, c, "locked")
	if pos, _ := c.Position(); pos != 2 {
		t.Errorf("position %d after 2 of 4 were taken", pos)
	}
}

func TestEndSaysItsLastWordAlone(t *testing.T) {
	t.Parallel()
	h := hub.New(0, hub.RecentEntries)
	c := join(t, h, 0, classAll, grants("user:1")...)
	h.Deliver(1, []string{"user:1"}, frame(1))
	c.End([]byte("ended"))
	c.Signal([]byte("late"))
	c.Hold([]byte("late"))
	c.Release([]byte("late"))
	c.End([]byte("again"))
	h.Deliver(2, []string{"user:1"}, frame(2))
	frames, replay, over := now(c)
	if len(frames) != 1 || string(frames[0]) != "ended" || replay || !over || c.Cause() != hub.CauseEnded {
		t.Errorf("%q, replay %v, over %v, cause %v", frames, replay, over, c.Cause())
	}
	c.Advance([]*hub.Frame{frame(1)}, 1)
	expect(t, c, "")
	h.Remove(c)
	if h.Streams() != 0 || len(h.All()) != 0 || len(h.Of("user:1")) != 0 || len(h.Of("session:s")) != 0 {
		t.Error("a removed connection is still found")
	}
}

func TestSlowReaderIsCutAndNobodyWaits(t *testing.T) {
	t.Parallel()
	h := hub.New(0, hub.RecentEntries)
	slow, quick := join(t, h, 0, classAll, grants("user:1")...), join(t, h, 0, classAll, grants("user:1")...)
	text := strings.Repeat("x", 64<<10-20)
	for offset := int64(1); offset <= 100; offset++ {
		took := h.Deliver(offset, []string{"user:1"}, entry(offset, classA, text))
		if frames, _, over := now(quick); len(frames) != 1 || over {
			t.Fatalf("offset %d: the quick reader got %d frames, over %v", offset, len(frames), over)
		}
		if offset == 1 && took != 2 || offset == 100 && took != 1 {
			t.Errorf("offset %d: %d took it", offset, took)
		}
	}
	frames, _, over := now(slow)
	if len(frames) != 0 || !over || slow.Cause() != hub.CauseOverflow {
		t.Errorf("the slow reader: %d frames, over %v, cause %v", len(frames), over, slow.Cause())
	}
	if quick.Cause() != hub.CauseNone {
		t.Errorf("the quick reader was closed: %v", quick.Cause())
	}
}

func TestSettleRefusesWhatIsStale(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(h *hub.Hub, c *hub.Conn){
		"hold":    func(_ *hub.Hub, c *hub.Conn) { c.Hold([]byte("locked")) },
		"release": func(_ *hub.Hub, c *hub.Conn) { c.Release([]byte("active")) },
		"grant":   func(h *hub.Hub, _ *hub.Conn) { h.Grant("user:1", journal.Grant{Audience: "group:5"}) },
		"revoke":  func(h *hub.Hub, _ *hub.Conn) { h.Revoke("user:1", "group:5") },
	} {
		h := hub.New(0, hub.RecentEntries)
		c := h.Add(0, []string{"user:1"}, classAll, false)
		turn := c.Turn()
		change(h, c)
		if h.Settle(c, turn, grants("user:1"), false) {
			t.Errorf("%s: settled on what was read before", name)
		}
		if !h.Settle(c, c.Turn(), grants("user:1"), true) {
			t.Errorf("%s: not settled on what was read after", name)
		}
		if _, replay, _ := now(c); name == "grant" && replay {
			t.Error("a connection settled as held reads from the log")
		}
	}
}

// TestSettleTakesBackAnOlderGrant: the hub may lag behind the database, where the membership is over already.
func TestSettleTakesBackAnOlderGrant(t *testing.T) {
	t.Parallel()
	h := hub.New(0, hub.RecentEntries)
	c := h.Add(0, []string{"user:1"}, classAll, false)
	h.Grant("user:1", journal.Grant{Audience: "group:5"})
	settle(t, h, c, grants("user:1")...)
	h.Deliver(1, []string{"group:5"}, frame(1))
	h.Deliver(2, []string{"user:1"}, frame(2))
	expect(t, c, "2")
}

func TestGrantAndRevoke(t *testing.T) {
	t.Parallel()
	h := hub.New(0, hub.RecentEntries)
	c := join(t, h, 0, classAll, grants("user:1")...)
	other := h.Add(0, []string{"user:2"}, classAll, false)
	settle(t, h, other, grants("user:2")...)
	group := []string{"group:5"}

	h.Deliver(1, group, frame(1))
	h.Grant("user:1", journal.Grant{Audience: "group:5", After: 2})
	h.Deliver(2, group, frame(2))
	h.Deliver(3, group, frame(3))
	h.Grant("user:1", journal.Grant{Audience: "group:5", After: 4}) // joined anew, later
	h.Deliver(4, group, frame(4))
	h.Deliver(5, group, frame(5))
	h.Revoke("user:1", "group:5")
	h.Deliver(6, group, frame(6))
	h.Deliver(7, []string{"user:1"}, frame(7))
	expect(t, c, "3 5 7")
	expect(t, other, "")
	if _, may := c.Position(); !slices.Equal(may, grants("user:1")) {
		t.Errorf("grants %v", may)
	}
	h.Grant("user:1", journal.Grant{Audience: "group:5"})
	h.Remove(c)
	if len(h.Of("group:5")) != 0 {
		t.Error("a removed connection is found by what it was granted")
	}
}

func TestFindByControlAudience(t *testing.T) {
	t.Parallel()
	h := hub.New(0, hub.RecentEntries)
	session := join(t, h, 0, classAll, grants("user:1")...)
	ticket := h.Add(0, []string{"user:1", "key:3"}, classAll, false)
	settle(t, h, ticket, grants("user:1")...)
	if session.Without("session:") || !ticket.Without("session:") {
		t.Error("which of the two has a session?")
	}
	if got := h.Of("key:3"); len(got) != 1 || got[0] != ticket {
		t.Errorf("of the key: %v", got)
	}
	if len(h.Of("user:1")) != 2 || h.Streams() != 2 || len(h.All()) != 2 {
		t.Error("both are the user's")
	}
}

func TestReset(t *testing.T) {
	t.Parallel()
	h := hub.New(100, hub.RecentEntries)
	c := join(t, h, 100, classAll, grants("user:1")...)
	h.Reset(3)
	fresh := join(t, h, 3, classAll, grants("user:1")...)
	h.Deliver(4, []string{"user:1"}, frame(4))
	expect(t, c, "") // its positions are void; who resets ends it
	expect(t, fresh, "4")
}

func TestNextWaitsForWhatComes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := hub.New(0, hub.RecentEntries)
		c := join(t, h, 0, classAll, grants("user:1")...)
		time.AfterFunc(5*time.Second, func() { h.Deliver(1, []string{"user:1"}, frame(1)) })
		began := time.Now()
		if texts, _, _ := c.Next(t.Context()); len(texts) != 1 || time.Since(began) != 5*time.Second {
			t.Errorf("%q after %v", texts, time.Since(began))
		}
		gone, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		began = time.Now()
		if _, _, over := c.Next(gone); !over || time.Since(began) != time.Second {
			t.Errorf("the client left: over %v after %v", over, time.Since(began))
		}
	})
}
