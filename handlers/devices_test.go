package handlers_test

import (
	"net/http"
	"testing"
	"time"

	"belfry/models"
)

// TestDevices lists, locks and ends a user's own sessions.
//
// Security: S12
func TestDevices(t *testing.T) {
	onEach(t, nil, func(s *site) {
		s.addUser("anna", models.RoleUser)
		s.addUser("bob", models.RoleUser)
		here, there, gone := s.login("anna"), s.login("anna"), s.login("anna")
		s.login("bob")
		gone.post("/api/v1/logout", nil).want(204)
		list := here.get("/api/v1/sessions").want(200).items()
		if len(list) != 2 {
			s.Fatalf("%d sessions, want 2: %v", len(list), list)
		}
		for _, session := range list {
			if session["current"] != (session["id"] == here.id) {
				s.Errorf("current: %v", session)
			}
		}
		r := here.post("/api/v1/sessions/"+there.id+"/lock", nil).want(200)
		if r.text("id") != there.id || r.text("state") != "locked" || r.text("reason") != "remote" || r.at("current") != false {
			s.Errorf("locked from elsewhere: %s", r.body)
		}
		there.get("/api/v1/notices").refused(423, "locked")
		here.post("/api/v1/sessions/"+gone.id+"/lock", nil).refused(404, "not_found")
		here.do(http.MethodDelete, "/api/v1/sessions/"+gone.id, nil).refused(404, "not_found")

		here.do(http.MethodDelete, "/api/v1/sessions/"+there.id, nil).want(204)
		if got := there.get("/api/v1/session").refused(401, "unauthenticated").text("reason"); got != "revoked" {
			s.Errorf("reason %q", got)
		}
		if r := here.post("/api/v1/sessions/"+here.id+"/lock", nil).want(200); r.text("reason") != "manual" {
			s.Errorf("one's own: %s", r.body)
		}
	})
}

// TestProof: what ends another session or makes a key wants the password within five minutes.
//
// Security: S12
func TestProof(t *testing.T) {
	onEach(t, nil, func(s *site) {
		s.addUser("anna", models.RoleAdmin)
		c, other := s.login("anna"), s.login("anna")
		key := map[string]any{"name": "k", "scopes": []string{"notices:write"}}
		made := c.post("/api/v1/keys", key).want(201)
		guarded := func(status int) {
			s.Helper()
			if status == 403 {
				c.do(http.MethodDelete, "/api/v1/sessions/"+other.id, nil).refused(403, "reauthentication_required")
				c.do(http.MethodDelete, "/api/v1/sessions", nil).refused(403, "reauthentication_required")
				c.post("/api/v1/keys", key).refused(403, "reauthentication_required")
				c.do(http.MethodDelete, "/api/v1/keys/1", nil).refused(403, "reauthentication_required")
				return
			}
			c.do(http.MethodDelete, "/api/v1/sessions/"+other.id, nil).want(204)
			c.do(http.MethodDelete, "/api/v1/sessions", nil).want(204)
			c.post("/api/v1/keys", key).want(201)
			c.do(http.MethodDelete, "/api/v1/keys/1", nil).want(204)
		}
		if made.int("id") != 1 {
			s.Fatalf("key %d", made.int("id"))
		}
		s.age("proved_at", c.id, 5*time.Minute)
		guarded(403)
		c.post("/api/v1/session/reauthenticate", secret("wrong")).refused(401, "unauthenticated")
		guarded(403)
		c.post("/api/v1/session/reauthenticate", secret(password)).want(204)
		s.age("proved_at", c.id, 4*time.Minute)
		guarded(204)

		s.age("proved_at", c.id, time.Hour)
		c.post("/api/v1/session/lock", nil).want(200)
		c.take(c.post("/api/v1/session/unlock", secret(password)).want(200))
		c.do(http.MethodDelete, "/api/v1/sessions", nil).want(204)
		// Ending one's own needs no proof.
		s.age("proved_at", c.id, time.Hour)
		c.do(http.MethodDelete, "/api/v1/sessions/"+c.id, nil).want(204)
		c.get("/api/v1/session").refused(401, "unauthenticated")
	})
}

// TestEndOthers keeps this session and no other of the user's.
//
// Security: S12
func TestEndOthers(t *testing.T) {
	onEach(t, nil, func(s *site) {
		s.addUser("anna", models.RoleUser)
		s.addUser("bob", models.RoleUser)
		here, there, bob := s.login("anna"), s.login("anna"), s.login("bob")
		here.do(http.MethodDelete, "/api/v1/sessions", nil).want(204)
		here.get("/api/v1/session").want(200)
		bob.get("/api/v1/session").want(200)
		if got := there.get("/api/v1/session").refused(401, "unauthenticated").text("reason"); got != "revoked" {
			s.Errorf("reason %q", got)
		}
	})
}

// TestPassword changes one's own.
//
// Security: S2, S11
func TestPassword(t *testing.T) {
	onEach(t, nil, func(s *site) {
		s.addUser("anna", models.RoleUser)
		here, there := s.login("anna"), s.login("anna")
		const next = "🔔🔔🔔🔔🔔🔔🔔🔔🔔🔔🔔🔔🔔🔔🔔🔔🔔🔔🔔🔔🔔🔔🔔🔔🔔🔔🔔🔔🔔🔔🔔🔔🔔🔔🔔🔔🔔🔔🔔🔔🔔🔔🔔🔔🔔🔔🔔🔔🔔🔔🔔🔔🔔🔔🔔🔔🔔🔔🔔🔔🔔🔔🔔🔔"
		change := func(current, next string) *reply {
			return here.post("/api/v1/password", map[string]any{"current": current, "new": next})
		}
		if f := change("wrong", next).refused(422, "invalid").fields(); len(f) != 1 || f[0] != "current" {
			s.Errorf("fields %q", f)
		}
		if f := change(password, "short").refused(422, "invalid").fields(); len(f) != 1 || f[0] != "new" {
			s.Errorf("fields %q", f)
		}
		there.get("/api/v1/session").want(200)
		old := here.cookie
		r := change(password, next).want(204)
		here.take(r)
		here.get("/api/v1/session").want(200)
		if p := here.withCookie(old).get("/api/v1/session").refused(401, "unauthenticated").object(); p["reason"] != nil {
			s.Errorf("the old cookie: %v", p)
		}
		if got := there.get("/api/v1/session").refused(401, "unauthenticated").text("reason"); got != "password_changed" {
			s.Errorf("the other session ended for %q", got)
		}
		try := func(secret string) *reply {
			return s.nobody().post("/api/v1/login", map[string]any{"username": "anna", "password": secret})
		}
		try(password).refused(401, "unauthenticated")
		try(next[:len(next)-4]+"🔕").refused(401, "unauthenticated")
		try(next).want(200)
	})
}

// TestOthersSessions lets an admin, or a key, lock and end a user's sessions.
//
// Security: S12
func TestOthersSessions(t *testing.T) {
	onEach(t, nil, func(s *site) {
		s.addUser("anna", models.RoleUser)
		s.addUser("root", models.RoleAdmin)
		first, second := s.login("anna"), s.login("anna")
		for i, by := range []*client{s.login("root"), s.bearer(s.addKey(models.ScopeSessionsWrite))} {
			if got := by.post("/api/v1/users/ANNA/sessions/lock", nil).want(200).int("count"); got != int64(2-i) {
				s.Errorf("%d sessions were locked, want %d", got, 2-i)
			}
			if got := second.get("/api/v1/session").want(200).text("reason"); got != "admin" {
				s.Errorf("reason %q", got)
			}
			first.take(first.post("/api/v1/session/unlock", secret(password)).want(200))
			by.post("/api/v1/users/nobody/sessions/lock", nil).refused(404, "not_found")
			by.do(http.MethodDelete, "/api/v1/users/nobody/sessions", nil).refused(404, "not_found")
		}
		s.bearer(s.addKey(models.ScopeSessionsWrite)).do(http.MethodDelete, "/api/v1/users/anna/sessions", nil).want(204)
		for _, c := range []*client{first, second} {
			if got := c.get("/api/v1/session").refused(401, "unauthenticated").text("reason"); got != "admin" {
				s.Errorf("reason %q", got)
			}
		}
	})
}

// TestEveryone: row 12. An admin, or a key, locks or ends all sessions there are; the admin's own stays.
//
// Security: S12
func TestEveryone(t *testing.T) {
	onEach(t, nil, func(s *site) {
		s.addUser("root", models.RoleAdmin)
		for _, name := range []string{"anna", "bob"} {
			s.addUser(name, models.RoleUser)
		}
		root, key := s.login("root"), s.bearer(s.addKey(models.ScopeSessionsWrite))
		anna, bob, second := s.login("anna"), s.login("bob"), s.login("root")
		st := anna.stream("/sse/lock")
		st.hello("active", "")

		if got := root.post("/api/v1/everyone/sessions/lock", nil).want(200).int("count"); got != 3 {
			s.Errorf("%d were locked", got)
		}
		st.lock("locked", "admin")
		for _, c := range []*client{anna, bob, second} {
			c.get("/api/v1/notices").refused(423, "locked")
		}
		root.get("/api/v1/notices").want(200)

		s.age("proved_at", root.id, models.ReauthenticationWindow)
		root.do(http.MethodDelete, "/api/v1/everyone/sessions", nil).refused(403, "reauthentication_required")
		anna.get("/api/v1/session").want(200)
		root.post("/api/v1/session/reauthenticate", map[string]any{"password": password}).want(204)
		root.do(http.MethodDelete, "/api/v1/everyone/sessions", nil).want(204)
		st.lock("ended", "admin")
		st.end()
		for _, c := range []*client{anna, bob, second} {
			if reason := c.get("/api/v1/session").refused(401, "unauthenticated").text("reason"); reason != "admin" {
				s.Errorf("it ended by %s", reason)
			}
		}
		root.get("/api/v1/notices").want(200)
		key.do(http.MethodDelete, "/api/v1/everyone/sessions", nil).want(204)
		root.get("/api/v1/session").refused(401, "unauthenticated")
		bob.post("/api/v1/everyone/sessions/lock", nil).refused(401, "unauthenticated")
	})
}
