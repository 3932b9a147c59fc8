package hub_test

import (
	"bytes"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"belfry/services/hub"
)

// counted reads a stream and counts its entries.
type counted struct {
	conn *hub.Conn
	got  atomic.Int64
}

func (r *counted) read(body io.Reader) {
	buffer := make([]byte, 64<<10)
	for {
		n, err := body.Read(buffer)
		r.got.Add(int64(bytes.Count(buffer[:n], []byte("#"))))
		if err != nil {
			return
		}
	}
}

func (r *counted) until(t *testing.T, n int64) {
	t.Helper()
	for deadline := time.Now().Add(patience); r.got.Load() < n; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d entries came; %+v", r.got.Load(), n, r.conn.State())
		}
	}
}

func balanced(t *testing.T, a hub.Account) {
	t.Helper()
	if a.Queued+a.Replayed != a.Written+a.Withdrawn+a.Dropped+a.Waiting || a.Waiting < 0 {
		t.Errorf("the account does not balance: %+v", a)
	}
}

// crew is readers of one person's entries.
type crew struct {
	hub    *hub.Hub
	conns  []*hub.Conn
	steady []*counted // the second is locked now and then
	leaver net.Conn
	gone   []*owner  // who leaves, and who does not read
	caller *hub.Conn // who calls Next
	called int64     // and what it got
}

func newCrew(t *testing.T) *crew {
	c := &crew{hub: hub.New(0, hub.RecentEntries)}
	opened := func() (net.Conn, *counted, *owner) {
		r := &counted{conn: join(t, c.hub, 0, classAll, grants("user:1")...)}
		c.conns = append(c.conns, r.conn)
		client, body, o := attach(t, c.hub, r.conn)
		if len(c.conns) != 5 { // the last does not read
			go r.read(body)
		}
		return client, r, o
	}
	for range 3 {
		_, r, _ := opened()
		c.steady = append(c.steady, r)
	}
	var leaving, deaf *owner
	c.leaver, _, leaving = opened()
	_, _, deaf = opened()
	c.gone = []*owner{leaving, deaf}
	c.caller = join(t, c.hub, 0, classAll, grants("user:1")...)
	c.conns = append(c.conns, c.caller)
	return c
}

func (c *crew) call() (some bool) {
	texts, _, _ := now(c.caller)
	c.called += int64(len(texts))
	return len(texts) > 0
}

// deliver has everybody get so many entries, and makes trouble meanwhile.
func (c *crew) deliver(t *testing.T, entries int64) {
	t.Helper()
	for offset := int64(1); offset <= entries; offset++ {
		c.hub.Deliver(offset, []string{"user:1"}, entry(offset, classA, "#"+strings.Repeat("x", 2<<10)))
		switch {
		case offset%100 == 50:
			c.steady[1].conn.Hold([]byte("locked"))
			c.call()
		case offset%100 == 60:
			c.steady[1].conn.Release([]byte("unlocked"))
			c.steady[0].until(t, offset-5) // what the system takes without a reader differs from machine to machine
		case offset == entries/2:
			_ = c.leaver.Close()
		}
	}
	for _, r := range c.steady {
		r.until(t, entries)
	}
	for c.call() {
	}
	for _, o := range c.gone {
		<-o.closed
	}
}

// TestAccountsBalance at every moment, with readers that are quick, locked now and then, gone halfway, or do not read; and
// what it says was written is what those got who read to the end.
func TestAccountsBalance(t *testing.T) {
	t.Parallel()
	const entries = 3_000
	c := newCrew(t)
	stop, over := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(over)
		for {
			select {
			case <-stop:
				return
			default:
				balanced(t, c.hub.Stats().Account)
			}
		}
	}()
	c.deliver(t, entries)
	close(stop)
	<-over

	stats := c.hub.Stats()
	var sum hub.Account
	for i, conn := range c.conns {
		account := conn.State().Account
		balanced(t, account)
		if account.Waiting != 0 {
			t.Errorf("reader %d: nothing is under way any more, and its account is %+v", i, account)
		}
		sum.Add(account)
	}
	if sum != stats.Account {
		t.Errorf("the connections' accounts are %+v together; the hub's is %+v", sum, stats.Account)
	}
	for i, r := range c.steady {
		if a := r.conn.State().Account; a.Written != entries || r.got.Load() != entries {
			t.Errorf("reader %d got %d; its account is %+v", i, r.got.Load(), a)
		}
	}
	if a := c.steady[1].conn.State().Account; a.Replayed == 0 || a.Dropped != 0 {
		t.Errorf("who was locked: %+v", a)
	}
	if a := c.caller.State().Account; a.Written != c.called || c.called == 0 {
		t.Errorf("who calls took %d; its account is %+v", c.called, a)
	}
	if stats.Evicted["overflow"] == 0 || stats.Evicted["stalled"] != 0 || stats.Account.Evicted != stats.Evicted["overflow"] {
		t.Errorf("evicted: %v", stats.Evicted)
	}
	if direct := stats.Lag.Count(); direct == 0 || int64(direct) > stats.Account.Written {
		t.Errorf("the lag of %d deliveries of %d", direct, stats.Account.Written)
	}
	if stats.Replays.Sum() != stats.Account.Replayed {
		t.Errorf("replays of %d entries in all; %d were replayed", stats.Replays.Sum(), stats.Account.Replayed)
	}
}

// TestLagIsFromTheCommit, for what came as it happened; a replay's would be the time that its reader was away.
func TestLagIsFromTheCommit(t *testing.T) {
	t.Parallel()
	h := hub.New(0, hub.RecentEntries)
	c := join(t, h, 0, classAll, grants("user:1")...)
	h.Deliver(1, []string{"user:1"}, frame(1).Committed(7*time.Second))
	c.Hold([]byte("locked"))
	c.Release([]byte("unlocked"))
	h.Replay(c, 0)
	h.Deliver(2, []string{"user:1"}, frame(2).Committed(7*time.Second))
	for texts, _, _ := now(c); len(texts) > 0; texts, _, _ = now(c) {
	}
	if lag := h.Stats().Lag; lag.Count() != 1 || lag.Sum() < int64(7*time.Second) || lag.Sum() > int64(7*time.Second+patience) {
		t.Errorf("the lag of %d deliveries is %v", lag.Count(), time.Duration(lag.Sum()))
	}
}
