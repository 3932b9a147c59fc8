package handlers_test

import (
	"net/http"
	"testing"
	"time"

	"belfry/internal/testpg"
	"belfry/models"
)

// TestOutage takes the database away and gives it back. Nobody restarts anything of ours.
//
// Security: S37
func TestOutage(t *testing.T) {
	t.Parallel()
	cluster := testpg.NewCluster(t)
	if err := migrate(cluster.DSN()); err != nil {
		t.Fatal(err)
	}
	s := newSite(t, cluster.DSN(), func(set *settings) { set.streams.Heartbeat = 200 * time.Millisecond })
	s.addUser("anna", models.RoleUser)
	c, key := s.login("anna"), s.bearer(s.addKey(models.ScopeNoticesWrite))
	token := mint(c, "/api/v1/stream-tickets")
	standing := c.stream("/sse/stream")
	standing.hello("active", "")
	if err := cluster.Stop(); err != nil {
		t.Fatal(err)
	}
	hello := map[string]any{"to": map[string]any{"users": []string{"anna"}}, "title": "Hello"}
	c.get("/api/v1/notices").refused(503, "unavailable")
	c.post("/api/v1/session/lock", nil).refused(503, "unavailable")
	s.nobody().post("/api/v1/login", map[string]any{"username": "anna", "password": password}).refused(503, "unavailable")
	key.post("/api/v1/notices", hello).refused(503, "unavailable")
	s.nobody().get("/livez").want(200)
	if r := s.nobody().get("/readyz"); r.status != http.StatusServiceUnavailable || r.text("parts", "database") == "ok" {
		t.Errorf("readyz: %d %s", r.status, r.body)
	}
	for tick := time.NewTicker(time.Millisecond); ; {
		if _, fresh := s.journal.Fresh(); !fresh {
			tick.Stop()
			break // by the next poll at the latest the node knows that what it remembers is no answer
		}
		<-tick.C
	}
	// A stream is sent away with what keeps an EventSource alive; a standing one stays, and pings.
	c.stream("/sse/stream").pause()
	s.bearer(token).stream("/sse/stream").pause()
	for range 3 {
		if e := standing.next(); e.name != "ping" {
			t.Errorf("without a database came %+v", e)
		}
	}
	if err := cluster.Start(); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(patience)
	for c.get("/api/v1/session").status != http.StatusOK {
		if time.Now().After(deadline) {
			t.Fatal("no recovery")
		}
		time.Sleep(20 * time.Millisecond) // between questions to a server that is coming up
	}
	sent := key.post("/api/v1/notices", hello).want(201).int("id")
	if got := standing.want("notice").object(t)["id"]; got != float64(sent) {
		t.Errorf("notice %v, want %d", got, sent)
	}
	c.stream("/sse/stream").hello("active", "")
	s.nobody().get("/readyz").want(200)
}

// TestOutagePastDeadline: without a database a stream stays, but not past the moment when its session
// may be over.
//
// Security: S37
func TestOutagePastDeadline(t *testing.T) {
	t.Parallel()
	cluster := testpg.NewCluster(t)
	if err := migrate(cluster.DSN()); err != nil {
		t.Fatal(err)
	}
	s := newSite(t, cluster.DSN(), func(set *settings) {
		set.limits = models.SessionLimits{Idle: 6 * time.Second, Max: time.Hour, Warning: time.Second}
	})
	s.addUser("anna", models.RoleUser)
	st := s.login("anna").stream("/sse/stream")
	st.hello("active", "")
	if err := cluster.Abort(); err != nil {
		t.Fatal(err)
	}
	st.pause()
}
