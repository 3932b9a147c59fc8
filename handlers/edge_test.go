package handlers_test

import (
	"context"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"belfry/internal/testpg"
	"belfry/models"
)

const (
	edgeClients  = 50
	edgeRequests = 1_250 // in each of eight rounds
	// edgeLead is how long before a deadline the clients begin; a busy machine may need more.
	edgeLead = 400 * time.Millisecond
)

// asked is a request as it went: what its node knew when it began, and what came back.
type asked struct {
	node             int
	began            models.Instant // this machine's clock is the database's
	committed, heard int64          // the node's own last entry, and how far it had followed the log
	status           int
}

// TestEdge: 10,000 requests of 50 clients on two nodes, while a session is locked, is ended, falls idle or grows too old.
// None succeeds that begins after the change was committed on the node that wrote it, or on the other one when that has
// heard of it, or anywhere once the deadline has passed.
//
// Security: S6, S7, S10, L12, L18
func TestEdge(t *testing.T) {
	t.Parallel()
	address := testpg.Database(t)
	for _, warning := range []time.Duration{time.Minute, time.Millisecond} { // within a warning each node asks the database
		t.Run(warning.String(), func(t *testing.T) {
			change := func(set *settings) { set.limits.Warning = warning }
			nodes := [2]*site{newSite(t, address, change), newSite(t, address, change)}
			names := [2]string{fresh("edge"), fresh("edge")}
			nodes[0].addUser(names[0], models.RoleUser)
			nodes[0].addUser(names[1], models.RoleUser)
			admin := nodes[0].bearer(nodes[0].addKey(models.ScopeSessionsWrite))
			edgeOfAct(t, nodes, names[0], func() { admin.post("/api/v1/users/"+names[0]+"/sessions/lock", nil).want(200) })
			edgeOfAct(t, nodes, names[1], func() { admin.do(http.MethodDelete, "/api/v1/users/"+names[1]+"/sessions", nil).want(204) })
			edgeOfTime(t, nodes, names[0], "last_active_at", nodes[0].settings.limits.Idle)
			edgeOfTime(t, nodes, names[0], "created_at", nodes[0].settings.limits.Max)
		})
	}
}

// edgeOfAct has node 0 change the session in the middle of the requests.
func edgeOfAct(t *testing.T, nodes [2]*site, name string, act func()) {
	t.Helper()
	c := nodes[0].login(name)
	var sent atomic.Int64
	begin := make(chan struct{})
	var acted sync.WaitGroup
	acted.Go(func() { <-begin; act() })
	all := storm(nodes, c.cookie, func() bool {
		n := sent.Add(1)
		if n == edgeRequests/2 {
			close(begin)
		}
		return n <= edgeRequests
	})
	acted.Wait()
	entry := nodes[0].number("SELECT max(log_offset) FROM entries WHERE kind = 'lock' AND audiences = ?", "session:"+c.id)
	if entry == 0 {
		t.Fatal("no entry tells of it")
	}
	passed, late := 0, 0
	for _, a := range all {
		knew := a.heard >= entry || a.node == 0 && a.committed >= entry
		switch {
		case a.status == http.StatusOK && knew:
			t.Errorf("node %d answers 200 at %d/%d, after the entry %d", a.node, a.committed, a.heard, entry)
		case a.status == http.StatusOK:
			passed++
		case a.status != http.StatusLocked && a.status != http.StatusUnauthorized:
			t.Errorf("node %d answers %d", a.node, a.status)
		}
		if knew {
			late++
		}
	}
	if passed == 0 || late == 0 {
		t.Errorf("of %d requests %d came through and %d began after it", len(all), passed, late)
	}
}

// edgeOfTime lets a deadline pass among the requests. None of them is activity, so it does not move.
func edgeOfTime(t *testing.T, nodes [2]*site, name, column string, limit time.Duration) {
	t.Helper()
	for lead := edgeLead; ; lead *= 2 {
		c := nodes[0].login(name)
		deadline := models.InstantOf(time.Now().Add(lead))
		nodes[0].exec("UPDATE sessions SET "+column+" = ? WHERE id = ?", int64(deadline)-limit.Milliseconds(), c.id)
		nodes[1].journal.Forget()
		var sent, after atomic.Int64
		all := storm(nodes, c.cookie, func() bool {
			if models.InstantOf(time.Now()) >= deadline {
				after.Add(1)
			}
			return sent.Add(1) <= edgeRequests || after.Load() < edgeClients
		})
		passed := 0
		for _, a := range all {
			switch {
			case a.status == http.StatusOK && a.began >= deadline:
				t.Errorf("node %d answers 200 to what began %d ms after the deadline", a.node, a.began-deadline)
			case a.status == http.StatusOK:
				passed++
			}
		}
		if passed > 0 {
			return
		}
		if lead > 16*edgeLead {
			t.Fatalf("no request came through within %v", lead)
		}
	}
}

// storm sends requests from all clients, to both nodes in turn, for as long as more says so.
func storm(nodes [2]*site, cookie string, more func() bool) (all []asked) {
	var mu sync.Mutex
	var clients sync.WaitGroup
	for i := range edgeClients {
		clients.Go(func() {
			var own []asked
			for k := i; more(); k++ {
				own = append(own, nodes[k%2].ask(k%2, cookie))
			}
			mu.Lock()
			defer mu.Unlock()
			all = append(all, own...)
		})
	}
	clients.Wait()
	return all
}

func (s *site) ask(node int, cookie string) asked {
	a := asked{node: node, committed: s.journal.Committed(), heard: s.journal.Cursor(), began: models.InstantOf(time.Now())}
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, s.url+"/api/v1/notices?limit=1", nil)
	if err != nil {
		s.Error(err)
		return a
	}
	req.AddCookie(&http.Cookie{Name: s.cookieName(), Value: cookie})
	resp, err := s.http.Do(req)
	if err != nil {
		s.Error(err)
		return a
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	a.status = resp.StatusCode
	return a
}
