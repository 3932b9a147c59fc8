package handlers_test

import (
	"net/http"
	"strings"
	"testing"

	"belfry/models"
)

// TestResume: from a position on comes everything that is newer, once, in order.
func TestResume(t *testing.T) {
	onEachWay(t, nil, func(s *site) {
		s.addUser("anna", models.RoleUser)
		c := s.login("anna")
		start := c.get("/api/v1/notices").want(200).text("cursor")
		var ids []float64
		for range 5 {
			ids = append(ids, float64(s.notify("anna")))
		}
		collect := func(st *stream, from string, want []float64) (last string) {
			s.Helper()
			hello := st.hello("active", "")
			o := hello.object(s)
			if hello.id != from || o["resumed"] != true || o["unread"] != float64(5) {
				s.Errorf("hello %+v from %s", hello, from)
			}
			_, before := offset(s, from)
			for _, id := range want {
				e := st.want("notice")
				_, at := offset(s, e.id)
				if e.object(s)["id"] != id || at <= before {
					s.Errorf("notice %v at %d after %d, want %v", e.object(s)["id"], at, before, id)
				}
				before, last = at, e.id
			}
			return last
		}
		third := collect(c.with("Last-Event-ID", start).stream("/sse/stream"), start, ids[:3])
		collect(c.stream("/sse/stream?last_event_id="+third), third, ids[3:])
		// The header beats the query.
		st := c.with("Last-Event-ID", third).stream("/sse/stream?last_event_id=" + start)
		last := collect(st, third, ids[3:])
		// An empty one says nothing.
		collect(c.with("Last-Event-ID", "").stream("/sse/stream?last_event_id="+third), third, ids[3:])
		ids = append(ids, float64(s.notify("anna")))
		if got := st.want("notice").object(s)["id"]; got != ids[5] {
			s.Errorf("live after the replay: %v, want %v", got, ids[5])
		}
		// From the head on: nothing old.
		st = c.stream("/sse/stream")
		if o := st.hello("active", "").object(s); o["resumed"] != false || o["unread"] != float64(6) {
			s.Errorf("hello %v", o)
		}
		ids = append(ids, float64(s.notify("anna")))
		if got := st.want("notice").object(s)["id"]; got != ids[6] {
			s.Errorf("notice %v, want %v", got, ids[6])
		}
		_ = last
	})
}

// TestReset: what cannot be a position is said to be none, never passed over in silence.
func TestReset(t *testing.T) {
	onEachWay(t, nil, func(s *site) {
		s.addUser("anna", models.RoleUser)
		c := s.login("anna")
		for range 3 {
			s.notify("anna")
		}
		head := c.get("/api/v1/notices").want(200).text("cursor")
		epoch, at := offset(s, head)
		for _, escaped := range []string{"%00", "%ff", head + "%00"} {
			st := c.stream("/sse/stream?last_event_id=" + escaped)
			st.hello("active", "")
			if got := st.want("reset").object(s)["reason"]; got != "invalid" {
				s.Errorf("%s: reason %v", escaped, got)
			}
		}
		for position, reason := range map[string]string{
			"garbage": "invalid", "-": "invalid", "0": "invalid", epoch: "invalid", epoch + "-": "invalid", "-" + itoa(at): "invalid",
			epoch + "--1": "invalid", epoch + "-+1": "invalid", epoch + "-01": "invalid", epoch + "-1.0": "invalid", epoch + "-1e0": "invalid",
			epoch + "-0x1": "invalid", epoch + "-1 1": "invalid", epoch + "-1-1": "invalid", strings.ToUpper(epoch) + "X-1": "invalid",
			epoch + "-" + itoa(at+1): "invalid", epoch + "-9223372036854775807": "invalid", epoch + "-9223372036854775808": "invalid",
			epoch + "-" + strings.Repeat("9", 100): "invalid", strings.Repeat("a", 60) + "-1234": "invalid", strings.Repeat("x", 5000): "invalid",
			"é-1": "invalid", "0a0a0a0a0a-1": "epoch", "zz-" + itoa(at): "epoch",
		} {
			st := c.with("Last-Event-ID", position).stream("/sse/stream")
			hello := st.hello("active", "")
			reset := st.want("reset")
			o := reset.object(s)
			if hello.object(s)["resumed"] != false || hello.id != head || reset.id != head || o["head"] != head || o["reason"] != reason || len(o) != 2 {
				s.Errorf("%.80q: hello %s, reset %+v, want %s", position, hello.id, reset, reason)
			}
			st.close()
		}
		// While locked it comes too, in the same place.
		c.post("/api/v1/session/lock", nil).want(200)
		st := c.stream("/sse/lock?last_event_id=garbage")
		st.hello("locked", "manual")
		if got := st.want("reset").object(s)["reason"]; got != "invalid" {
			s.Errorf("reason %v", got)
		}
	})
}

// TestTrimmed: what is no longer kept cannot be replayed.
func TestTrimmed(t *testing.T) {
	onEachWay(t, nil, func(s *site) {
		s.addUser("anna", models.RoleUser)
		c := s.login("anna")
		start := c.get("/api/v1/notices").want(200).text("cursor")
		for range 3 {
			s.notify("anna")
		}
		s.exec("UPDATE entries SET created_at = 1")
		if _, err := s.journal.Trim(s.Context(), 2); err != nil {
			s.Fatal(err)
		}
		head := c.get("/api/v1/notices").want(200).text("cursor")
		st := c.stream("/sse/stream?last_event_id=" + start)
		st.hello("active", "")
		if reset := st.want("reset"); reset.object(s)["reason"] != "trimmed" || reset.id != head {
			s.Errorf("reset %+v", reset)
		}
		// The last one that went is a position from which nothing is missing.
		st = c.stream("/sse/stream?last_event_id=" + head)
		if o := st.hello("active", "").object(s); o["resumed"] != true {
			s.Errorf("hello %v", o)
		}
	})
}

// TestNewEpoch: after a restored backup standing streams are sent away, and come back to a reset.
func TestNewEpoch(t *testing.T) {
	onEachWay(t, nil, func(s *site) {
		s.addUser("anna", models.RoleUser)
		c := s.login("anna")
		st := c.stream("/sse/stream")
		id := st.hello("active", "").id
		if err := s.journal.NewEpoch(s.Context()); err != nil {
			s.Fatal(err)
		}
		st.pause()
		st = c.with("Last-Event-ID", id).stream("/sse/stream")
		hello := st.hello("active", "")
		if got := st.want("reset").object(s)["reason"]; got != "epoch" || hello.id == id {
			s.Errorf("reason %v, hello %s after %s", got, hello.id, id)
		}
	})
}

// TestReplayIsForNow: a replay is by what one may read now, whoever's position it is.
//
// Security: S14
func TestReplayIsForNow(t *testing.T) {
	onEachWay(t, nil, func(s *site) {
		s.addUser("anna", models.RoleUser)
		keeper := s.bearer(s.addKey(models.ScopeUsersWrite, models.ScopeNoticesWrite))
		c := s.login("anna")
		start := c.get("/api/v1/notices").want(200).text("cursor")
		send := func(to map[string]any) float64 {
			s.Helper()
			return float64(keeper.post("/api/v1/notices", map[string]any{"to": to, "title": "x"}).want(201).int("id"))
		}
		team := map[string]any{"groups": []string{"team"}}
		keeper.post("/api/v1/groups", map[string]any{"name": "team"}).want(201)
		send(team) // before she joined
		keeper.do(http.MethodPut, "/api/v1/groups/team/members/anna", nil).want(200)
		in := send(team)
		all := send(map[string]any{"everyone": true, "groups": []string{"team"}, "users": []string{"anna", "ANNA"}})
		s.addUser("late", models.RoleUser)
		first := func(c *client) float64 {
			s.Helper()
			st := c.stream("/sse/stream?last_event_id=" + start)
			st.hello("active", "")
			return st.want("notice").object(s)["id"].(float64)
		}
		if got := first(c); got != in {
			s.Errorf("first notice %v, want %v", got, in)
		}
		keeper.do(http.MethodDelete, "/api/v1/groups/team/members/anna", nil).want(204)
		if got := first(c); got != all {
			s.Errorf("first notice after leaving %v, want %v", got, all)
		}
		if list := c.get("/api/v1/notices").want(200).items(); len(list) != 1 || list[0]["id"] != all {
			s.Errorf("the inbox after leaving: %v", list)
		}
		// An account that is newer than all of it gets none of it.
		late := s.login("late")
		last := send(map[string]any{"users": []string{"late"}})
		if got := first(late); got != last {
			s.Errorf("a new account gets %v, want %v", got, last)
		}
	})
}
