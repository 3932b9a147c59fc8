package handlers_test

import (
	"net/http"
	"testing"
	"time"

	"belfry/models"
)

// TestWithheld: a locked stream carries no notice, and at unlock all of them, in order.
//
// Security: S16, L3, L4, L14
func TestWithheld(t *testing.T) {
	onEachWay(t, func(set *settings) { set.streams.Heartbeat = 100 * time.Millisecond }, func(s *site) {
		s.addUser("anna", models.RoleUser)
		c := s.login("anna")
		st := c.stream("/sse/stream")
		start := st.hello("active", "").id
		c.post("/api/v1/session/lock", nil).want(200)
		if e := st.lock("locked", "manual"); e.hasID {
			s.Errorf("a lock with an id: %+v", e)
		}
		var want []float64
		for range 20 {
			want = append(want, float64(s.notify("anna")))
		}
		// One that opens meanwhile, and one that comes back: neither gets anything, nor moves on.
		second := c.stream("/sse/stream?last_event_id=" + start)
		hello := second.hello("locked", "manual")
		if o := hello.object(s); o["unread"] != nil || hello.id != start || o["resumed"] != true {
			s.Errorf("hello %+v", hello)
		}
		for range 3 {
			if e := second.next(); e.name != "ping" {
				s.Errorf("while locked came %+v", e)
			}
			if e := st.next(); e.name != "ping" {
				s.Errorf("while locked came %+v", e)
			}
		}
		c.take(c.post("/api/v1/session/unlock", secret(password)).want(200))
		for _, st := range []*stream{st, second} {
			st.lock("active", "")
			for _, id := range want {
				if got := st.want("notice").object(s)["id"]; got != id {
					s.Fatalf("notice %v, want %v", got, id)
				}
			}
		}
	})
}

// TestEnded: the end is told once, on every stream, and who knows it need not come back.
//
// Security: S10, S13, L4
func TestEnded(t *testing.T) {
	onEachWay(t, nil, func(s *site) {
		s.addUser("anna", models.RoleUser)
		c, other := s.login("anna"), s.login("anna")
		streams := []*stream{c.stream("/sse/stream"), c.stream("/sse/lock"), s.bearer(mint(c, "/api/v1/stream-tickets")).stream("/sse/notice")}
		var before string
		for _, st := range streams {
			before = st.hello("active", "").id
		}
		staying := other.stream("/sse/stream")
		staying.hello("active", "")
		other.do(http.MethodDelete, "/api/v1/sessions/"+c.id, nil).want(204)
		var id string
		for _, st := range streams {
			e := st.lock("ended", "revoked")
			if id = e.id; !e.hasID {
				s.Errorf("no id at the end: %+v", e)
			}
			st.end()
		}
		_, at := offset(s, id)
		epoch, first := offset(s, before)
		if at <= first {
			s.Errorf("the end is at %s, the beginning was at %s", id, before)
		}
		for _, position := range []string{"", "garbage", before, "zzzz-999999", epoch + "-" + itoa(at-1)} {
			st := c.stream("/sse/stream?last_event_id=" + position)
			if e := st.lock("ended", "revoked"); e.id != id {
				s.Errorf("from %q the end is at %s, want %s", position, e.id, id)
			}
			st.end()
		}
		for _, position := range []string{id, epoch + "-" + itoa(at+1)} {
			for _, path := range []string{"/sse/stream", "/sse/notice", "/sse/lock"} {
				if r := c.with("Last-Event-ID", position).get(path).want(204); len(r.body) > 0 {
					s.Errorf("a 204 with %q", r.body)
				}
			}
		}
		s.notify("anna")
		staying.want("notice")
	})
}

// TestRemoteLock: every stream of the session hears of a lock from elsewhere, and no other.
//
// Security: S11, S13
func TestRemoteLock(t *testing.T) {
	onEachWay(t, nil, func(s *site) {
		s.addUser("anna", models.RoleUser)
		s.addUser("root", models.RoleAdmin)
		here, there := s.login("anna"), s.login("anna")
		st, own := there.stream("/sse/stream"), here.stream("/sse/stream")
		st.hello("active", "")
		own.hello("active", "")
		here.post("/api/v1/sessions/"+there.id+"/lock", nil).want(200)
		st.lock("locked", "remote")
		there.take(there.post("/api/v1/session/unlock", secret(password)).want(200))
		st.lock("active", "")
		s.login("root").post("/api/v1/users/anna/sessions/lock", nil).want(200)
		st.lock("locked", "admin")
		own.lock("locked", "admin")
		s.login("root").do(http.MethodDelete, "/api/v1/users/anna", nil).want(204)
		st.lock("ended", "disabled")
		st.end()
		here.get("/sse/stream").refused(401, "unauthenticated")
	})
}

// TestExpiring: the warning comes on time, goes when there was activity, and the lock follows when
// there was none, though streams are open.
//
// Security: L5
func TestExpiring(t *testing.T) {
	onEachWay(t, func(set *settings) {
		set.limits = models.SessionLimits{Idle: 8 * time.Second, Max: time.Hour, Warning: time.Minute}
	}, func(s *site) {
		s.addUser("anna", models.RoleUser)
		c := s.login("anna")
		if got := c.get("/api/v1/session").want(200).int("warning_ms"); got != 4000 {
			s.Errorf("warning_ms %d, want half of idle", got)
		}
		first, second := c.stream("/sse/stream"), c.stream("/sse/lock")
		first.hello("active", "")
		second.hello("active", "")
		e := first.lock("expiring", "idle").object(s)
		if left := e["idle_remaining_ms"].(float64); left > 4000 || e["max_remaining_ms"].(float64) < 3_500_000 {
			s.Errorf("expiring %v", e)
		}
		second.lock("expiring", "idle")
		active := time.Now()
		c.post("/api/v1/session/activity", nil).want(200)
		for _, st := range []*stream{first, second} {
			if left := st.lock("active", "").object(s)["idle_remaining_ms"].(float64); left < 4500 {
				s.Errorf("active with %v ms left", left)
			}
		}
		first.lock("expiring", "idle")
		first.lock("locked", "idle")
		// Late only by what a busy machine takes.
		if took := time.Since(active); took < 7950*time.Millisecond || took > patience {
			s.Errorf("locked after %v, idle is 8s", took)
		}
		second.lock("expiring", "idle")
		second.lock("locked", "idle")
		c.get("/api/v1/notices").refused(423, "locked")
	})
}

// TestMaxAge: the longest time is warned of and ends the session, activity or not.
//
// Security: S7
func TestMaxAge(t *testing.T) {
	onEachWay(t, func(set *settings) {
		set.limits = models.SessionLimits{Idle: 10 * time.Minute, Max: time.Hour, Warning: 4 * time.Second}
	}, func(s *site) {
		s.addUser("anna", models.RoleUser)
		c := s.login("anna")
		s.age("created_at", c.id, time.Hour-8*time.Second)
		st := c.stream("/sse/stream")
		st.hello("active", "")
		if e := st.lock("expiring", "max_age").object(s); e["max_remaining_ms"].(float64) > 4000 {
			s.Errorf("expiring %v", e)
		}
		c.post("/api/v1/session/activity", nil).want(200)
		for {
			e := st.want("lock")
			if o := e.object(s); o["state"] == "ended" {
				if o["reason"] != "max_age" || !e.hasID {
					s.Errorf("ended %+v", e)
				}
				break
			}
		}
		st.end()
		if got := c.get("/api/v1/session").refused(401, "unauthenticated").text("reason"); got != "max_age" {
			s.Errorf("reason %q", got)
		}
	})
}
