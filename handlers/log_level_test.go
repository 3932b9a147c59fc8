package handlers_test

import (
	"strings"
	"testing"

	"belfry/models"
)

// TestLogLevel: an admin has the server log more or less while it runs, which is on the record.
func TestLogLevel(t *testing.T) {
	onEach(t, nil, func(s *site) {
		s.addUser("root", models.RoleAdmin)
		root := s.login("root")
		expect := func(r *reply, level string) {
			s.Helper()
			nodes := r.want(200).object()["nodes"].([]any)
			if node := nodes[0].(map[string]any); len(nodes) != 1 || node["level"] != level || node["setting"] != "debug" || node["node"] != "here:8080" {
				s.Errorf("the nodes are %v", nodes)
			}
		}
		expect(root.get("/api/v1/log-level"), "debug")
		expect(root.do("PUT", "/api/v1/log-level", map[string]any{"level": "error"}), "error")
		silent := root.with("X-Request-Id", "not-in-the-log")
		expect(silent.get("/api/v1/log-level"), "error")
		root.do("PUT", "/api/v1/log-level", map[string]any{"level": "loud"}).refused(422, "invalid")
		expect(root.do("PUT", "/api/v1/log-level", map[string]any{"level": "info"}), "info")
		root.with("X-Request-Id", "in-the-log").get("/api/v1/session").want(200)
		if log := s.log.String(); strings.Contains(log, "not-in-the-log") || !strings.Contains(log, "request_id=in-the-log") {
			s.Errorf("what is logged does not follow the level:\n%s", log)
		}
		if n := s.number("SELECT count(*) FROM audit WHERE action = 'log_level.changed' AND actor_name = 'root'"); n != 2 {
			s.Errorf("%d changes are on the record", n)
		}
	})
}

// TestRequestID: each request has one of its own, or the one that it came with if that may stand in a log.
func TestRequestID(t *testing.T) {
	onEach(t, nil, func(s *site) {
		c := s.nobody()
		seen := map[string]bool{}
		for _, path := range []string{"/api/v1/session", "/api/v1/session", "/sse/stream", "/sse/clock?every=0", "/livez", "/nothing", "/api/nothing"} {
			id := c.get(path).header.Get("X-Request-Id")
			if len(id) < 20 || seen[id] {
				s.Errorf("%s: %q is not an id of its own", path, id)
			}
			seen[id] = true
		}
		for id, fits := range map[string]bool{"7f3a9c": true, "0b5d1c4e-2e2b-4f53-9f0e-2a5c3f8d7e61": true, "a.b_c~d": true, strings.Repeat("x", 64): true,
			"": false, strings.Repeat("x", 65): false, "a b": false, "a\tb": false, `a"b`: false, "a=b": false, "<b>": false, "é": false, "a;b": false} {
			got := c.with("X-Request-Id", id).get("/api/v1/session").header.Values("X-Request-Id")
			if len(got) != 1 || (got[0] == id) != fits {
				s.Errorf("%q is answered with %q", id, got)
			}
			if fits && !strings.Contains(s.log.String(), "request_id="+id+"\n") {
				s.Errorf("the log does not have %q", id)
			}
		}
	})
}
