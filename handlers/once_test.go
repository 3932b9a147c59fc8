package handlers_test

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"belfry/models"
)

// creating is every POST that creates, each with a body that does it and a member that tells one from
// another.
func creating(who string) map[string][2]map[string]any {
	return map[string][2]map[string]any{
		"/api/v1/notices": {{"to": map[string]any{"users": []string{"anna"}}, "title": "one"}, {"to": map[string]any{"users": []string{"anna"}}, "title": "two"}},
		"/api/v1/users":   {{"username": who + "-u1", "password": password}, {"username": who + "-u2", "password": password}},
		"/api/v1/groups":  {{"name": who + "-g1"}, {"name": who + "-g2"}},
		"/api/v1/keys":    {{"name": "k1", "scopes": []string{"users:write"}}, {"name": "k2", "scopes": []string{"users:write"}}},
	}
}

// TestOnce: the same request again gets the same answer and makes nothing; another one under its key is
// refused; and keys of different principals are different.
func TestOnce(t *testing.T) {
	onEach(t, nil, func(s *site) {
		s.addUser("anna", models.RoleAdmin)
		callers := map[string]*client{"anna": s.login("anna"), "key": s.bearer(s.addKey(models.ScopeUsersWrite, models.ScopeNoticesWrite))}
		for who, c := range callers {
			for path, bodies := range creating(who) {
				c := c.with("Idempotency-Key", "retry of "+path)
				first := c.post(path, bodies[0]).want(201)
				if first.header.Get("Idempotency-Replayed") != "" {
					s.Errorf("%s: the first answer is replayed", path)
				}
				for range 2 {
					again := c.post(path, bodies[0]).want(201)
					if again.header.Get("Idempotency-Replayed") != "true" || string(again.body) != string(first.body) {
						s.Errorf("%s as %s: again %q %s, first %s", path, who, again.header.Get("Idempotency-Replayed"), again.body, first.body)
					}
				}
				c.post(path, bodies[1]).refused(422, "idempotency_mismatch")
				c.with("Idempotency-Key", "another of "+path).post(path, bodies[1]).want(201)
			}
		}
		if n := s.number("SELECT count(*) FROM entries WHERE kind = 'notice'"); n != 4 {
			s.Errorf("%d notices, want 4", n)
		}
		c := callers["anna"]
		c.with("Idempotency-Key", strings.Repeat("k", 256)).post("/api/v1/groups", map[string]any{"name": "long"}).refused(422, "invalid")
		c.with("Idempotency-Key", strings.Repeat("k", 255)).post("/api/v1/groups", map[string]any{"name": "long"}).want(201)
		// A refusal is not kept: the request runs anew.
		refused := c.with("Idempotency-Key", "early")
		body := map[string]any{"to": map[string]any{"users": []string{"later"}}, "title": "x"}
		refused.post("/api/v1/notices", body).refused(422, "invalid")
		s.addUser("later", models.RoleUser)
		if r := refused.post("/api/v1/notices", body).want(201); r.header.Get("Idempotency-Replayed") != "" {
			s.Error("a refusal was kept")
		}
		// After a day the key is free.
		s.exec("UPDATE idempotency_keys SET created_at = created_at - 86400001")
		if r := refused.post("/api/v1/notices", body).want(201); r.header.Get("Idempotency-Replayed") != "" {
			s.Error("a key is kept for longer than a day")
		}
	})
}

// TestOnceAtOnce: of many at the same time one makes it, and all say what it made.
func TestOnceAtOnce(t *testing.T) {
	onEach(t, nil, func(s *site) {
		s.addUser("anna", models.RoleAdmin)
		c := s.login("anna")
		for path, bodies := range creating("anna") {
			if path == "/api/v1/users" {
				continue // the same code as groups, and each one hashes a password first
			}
			replies := make([]*reply, 8)
			var all sync.WaitGroup
			for i := range replies {
				all.Go(func() { replies[i] = c.with("Idempotency-Key", "at once "+path).post(path, bodies[0]) })
			}
			all.Wait()
			fresh := 0
			for _, r := range replies {
				if r.want(201).header.Get("Idempotency-Replayed") == "" {
					fresh++
				}
				if string(r.body) != string(replies[0].body) {
					s.Errorf("%s: %s and %s", path, r.body, replies[0].body)
				}
			}
			if fresh != 1 {
				s.Errorf("%s was done %d times", path, fresh)
			}
		}
		if n := s.number("SELECT count(*) FROM entries WHERE kind = 'notice'"); n != 1 {
			s.Errorf("%d notices, want 1", n)
		}
	})
}

// TestOnceStands: the answer stays the same though what it depended on has changed.
func TestOnceStands(t *testing.T) {
	onEach(t, nil, func(s *site) {
		s.addUser("anna", models.RoleUser)
		s.addUser("bob", models.RoleUser)
		c := s.login("anna").with("Idempotency-Key", "x")
		body := `{"to":{"users":["bob"]},"title":"x"}`
		first := c.post("/api/v1/notices", body).want(201)
		s.exec("DELETE FROM users WHERE username = 'bob'")
		again := c.post("/api/v1/notices", body).want(201)
		if fmt.Sprint(again.object()) != fmt.Sprint(first.object()) || again.header.Get("Idempotency-Replayed") != "true" {
			s.Errorf("%s after %s", again.body, first.body)
		}
	})
}

// TestOnceStandsThoughChanged: the answer is of what was made then, whatever has become of it.
func TestOnceStandsThoughChanged(t *testing.T) {
	onEach(t, nil, func(s *site) {
		s.addUser("root", models.RoleAdmin)
		s.addUser("bob", models.RoleUser)
		root := s.login("root")
		soon := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
		for _, c := range []struct {
			path, body string
			change     func()
		}{
			{"/api/v1/users", fmt.Sprintf(`{"username":"anna","password":%q}`, password), func() {
				root.do("PATCH", "/api/v1/users/anna", `{"username":"ann","display_name":"Ann","role":"admin","disabled":true}`).want(200)
			}},
			{"/api/v1/groups", `{"name":"ops","display_name":"Operations"}`, func() {
				root.do("PATCH", "/api/v1/groups/ops", `{"name":"operators","display_name":"All","disabled":true}`).want(200)
			}},
			{"/api/v1/keys", `{"name":"disks","scopes":["notices:write"],"to":{"users":["bob"]},"expires_at":"` + soon + `"}`, func() {
				root.do("PATCH", "/api/v1/users/bob", `{"username":"bobby"}`).want(200)
				s.exec("UPDATE api_keys SET last_used_at = 1 WHERE name = 'disks'")
			}},
		} {
			first := root.with("Idempotency-Key", c.path).post(c.path, c.body).want(201)
			c.change()
			again := root.with("Idempotency-Key", c.path).post(c.path, c.body).want(201)
			if !bytes.Equal(again.body, first.body) || again.header.Get("Idempotency-Replayed") != "true" {
				s.Errorf("%s after %s", again.body, first.body)
			}
		}
	})
}

// TestOnceStandsThoughExpired: a key that has ended since is still the answer to the request that made it.
func TestOnceStandsThoughExpired(t *testing.T) {
	onEach(t, nil, func(s *site) {
		s.addUser("root", models.RoleAdmin)
		root := s.login("root").with("Idempotency-Key", "x")
		ends := time.Now().Add(2 * time.Second)
		body := `{"name":"short","scopes":["notices:write"],"expires_at":"` + ends.UTC().Format(time.RFC3339Nano) + `"}`
		first := root.post("/api/v1/keys", body).want(201)
		time.Sleep(time.Until(ends) + 10*time.Millisecond)
		if again := root.post("/api/v1/keys", body).want(201); !bytes.Equal(again.body, first.body) {
			s.Errorf("%s after %s", again.body, first.body)
		}
	})
}
