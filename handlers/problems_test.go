package handlers_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"belfry/models"
)

// TestUnknownPaths: what lies under /api and /sse and is nothing is a problem, with whatever method.
func TestUnknownPaths(t *testing.T) {
	onEach(t, nil, func(s *site) {
		s.addUser("anna", models.RoleUser)
		for _, c := range []*client{s.nobody(), s.login("anna")} {
			for _, path := range []string{"/api", "/api/", "/api/v1", "/api/v1/", "/api/v2/session", "/api/v1/nothing", "/api/v1/session/", "/api/v1/notices/1/2",
				"/api/v1/Session", "/api//v1/session", "//api/v1/session", "/api/../api/v1/nothing", "/sse", "/sse/", "/sse/nothing", "/sse/stream/", "/api/v1/users/a%2fb", "/api/v1/%ff", "/api/%00"} {
				for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE"} {
					c.do(method, path, nil).refused(404, "not_found")
				}
			}
		}
		// Elsewhere it is the page's own path, which only reads.
		if r := s.nobody().get("/some/page").want(200); !strings.HasPrefix(r.header.Get("Content-Type"), "text/html") {
			s.Errorf("a path of the page: %v", r.header)
		}
		s.nobody().post("/some/page", map[string]any{}).refused(405, "method_not_allowed")
	})
}

// TestMethods: a method that a route does not have is refused, and the answer says which it has.
func TestMethods(t *testing.T) {
	onEach(t, nil, func(s *site) {
		allowed := map[string][]string{}
		for _, r := range s.engine.Routes() {
			allowed[r.Path] = append(allowed[r.Path], r.Method)
		}
		delete(allowed, "/api/v1/notices/state")          // what is not its own method is asked of the notice "state"
		delete(allowed, "/api/v1/notices/batch")          // the same
		delete(allowed, "/api/v1/notices/sent")           // the same
		delete(allowed, "/api/v1/passkeys/options")       // and of the passkey "options"
		delete(allowed, "/api/v1/everyone/sessions/lock") // and of the session "lock"
		for path, methods := range allowed {
			for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"} {
				if slices.Contains(methods, method) {
					continue
				}
				r := s.nobody().do(method, strings.NewReplacer(":id", "1", ":username", "anna", ":name", "team").Replace(path), nil).refused(405, "method_not_allowed")
				named := strings.Split(r.header.Get("Allow"), ", ")
				slices.Sort(named)
				slices.Sort(methods)
				if !slices.Equal(named, methods) {
					s.Errorf("%s %s: Allow %q, want %q", method, path, named, methods)
				}
			}
		}
	})
}

// TestPanic: the cause goes to the log, the caller gets a fixed text.
func TestPanic(t *testing.T) {
	onEach(t, nil, func(s *site) {
		s.addUser("anna", models.RoleUser)
		c := s.login("anna")
		s.server.Notices = nil // what no request can bring about
		const fixed = "Something went wrong on our side. It has been logged."
		for range 2 {
			if got := c.get("/api/v1/notices").refused(500, "internal").text("detail"); got != fixed {
				s.Errorf("detail %q", got)
			}
		}
		c.get("/api/v1/session").want(200)
		if log := s.log.String(); strings.Count(log, "a handler panicked") != 2 || !strings.Contains(log, "nil pointer") {
			s.Errorf("the log does not have the cause")
		}
	})
}

// TestInternal: a fault of ours shows nothing of itself either.
func TestInternal(t *testing.T) {
	onEach(t, nil, func(s *site) {
		s.addUser("anna", models.RoleUser)
		c := s.login("anna")
		s.exec("ALTER TABLE notice_states RENAME TO elsewhere")
		r := c.get("/api/v1/notices").refused(500, "internal")
		if strings.Contains(string(r.body), "notice_states") || r.object()["errors"] != nil {
			s.Errorf("%s", r.body)
		}
		if !strings.Contains(s.log.String(), "notice_states") {
			s.Error("the log does not have the cause")
		}
	})
}

// TestHealth: alive is not ready, and both say of what they speak.
func TestHealth(t *testing.T) {
	onEach(t, nil, func(s *site) {
		for _, path := range []string{"/livez", "/readyz"} {
			r := s.nobody().get(path).want(200)
			if r.text("status") != "ok" || r.text("parts", "process") != "ok" {
				s.Errorf("%s: %s", path, r.body)
			}
		}
		s.server.Health.Drain()
		s.nobody().get("/livez").want(200)
		r := s.nobody().get("/readyz")
		if r.status != http.StatusServiceUnavailable || r.text("parts", "process") != "draining" || r.text("parts", "database") != "ok" {
			s.Errorf("draining: %d %s", r.status, r.body)
		}
	})
}
