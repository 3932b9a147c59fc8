package handlers_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"belfry/internal/testpg"
	"belfry/models"
)

// armour is what every answer has to tell a browser, whatever its status.
var armour = map[string]string{
	"X-Content-Type-Options":     "nosniff",
	"Referrer-Policy":            "no-referrer",
	"Permissions-Policy":         "camera=(), microphone=(), geolocation=()",
	"Cross-Origin-Opener-Policy": "same-origin-allow-popups",
	"Strict-Transport-Security":  "max-age=31536000",
}

// armoured holds an answer's header to that.
func (s *site) armoured(what string, header http.Header) {
	s.Helper()
	for name, want := range armour {
		if got := header.Values(name); !slices.Equal(got, []string{want}) {
			s.Errorf("%s: %s %q", what, name, got)
		}
	}
	policies := header.Values("Content-Security-Policy")
	if len(policies) != 1 || strings.Contains(policies[0], "unsafe") || strings.Contains(policies[0], "*") {
		s.Errorf("%s: Content-Security-Policy %q", what, policies)
		return
	}
	for _, part := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "object-src 'none'", "base-uri 'none'",
		"form-action 'self'", "frame-ancestors 'none'"} {
		if !slices.Contains(strings.Split(policies[0], "; "), part) {
			s.Errorf("%s: the policy lacks %s", what, part)
		}
	}
}

// stored holds an answer of the API or a stream to be kept by nobody.
func (s *site) stored(what string, header http.Header) {
	s.Helper()
	if got := header.Values("Cache-Control"); !slices.Equal(got, []string{"no-store"}) {
		s.Errorf("%s: Cache-Control %q", what, got)
	}
}

func overHTTPS(set *settings) { set.secure = true }

// TestHeadersBesideRoutes: the page, its files, and what is nothing, or not so.
//
// Security: S32
func TestHeadersBesideRoutes(t *testing.T) {
	onEach(t, overHTTPS, func(s *site) {
		for _, ask := range []struct {
			method, path string
			status       int
			noStore      bool
		}{
			{"GET", "/", 200, false}, {"HEAD", "/", 200, false}, {"GET", "/some/page", 200, false}, {"GET", "/index.html", 301, false},
			{"GET", "/assets/nothing.js", 404, true}, {"POST", "/", 405, true}, {"POST", "/some/page", 405, true},
			{"GET", "/api/v1/nothing", 404, true}, {"GET", "/api", 404, true}, {"GET", "/sse/nothing", 404, true}, {"POST", "/sse/stream", 405, true},
			{"PUT", "/api/v1/session", 405, true}, {"GET", "/api/v1/notices?limit=0", 401, true}, {"GET", "/api/v1/session?token=x", 401, true},
			{"OPTIONS", "/api/v1/session", 405, true}, {"POST", "/api/v1/login", 422, true},
		} {
			var body any
			if ask.method == "POST" {
				body = map[string]any{}
			}
			r := s.nobody().do(ask.method, ask.path, body)
			what := ask.method + " " + ask.path
			if r.status != ask.status {
				s.Errorf("%s: %d, want %d", what, r.status, ask.status)
			}
			s.armoured(what, r.header)
			if ask.noStore {
				s.stored(what, r.header)
			}
		}
	})
}

// TestHeadersOfFaults: with the database away, and where a handler panics.
//
// Security: S32
func TestHeadersOfFaults(t *testing.T) {
	t.Parallel()
	cluster := testpg.NewCluster(t)
	if err := migrate(cluster.DSN()); err != nil {
		t.Fatal(err)
	}
	s := newSite(t, cluster.DSN(), overHTTPS)
	s.addUser("anna", models.RoleUser)
	c := s.login("anna")
	notices := s.server.Notices
	s.server.Notices = nil // what no request can bring about
	s.armoured("a panic", c.get("/api/v1/notices").refused(500, "internal").header)
	s.server.Notices = notices
	if err := cluster.Stop(); err != nil {
		t.Fatal(err)
	}
	s.journal.Forget()
	c.get("/api/v1/session").refused(503, "unavailable")
	failed := 0
	for _, route := range s.engine.Routes() {
		name := route.Method + " " + route.Path
		path := strings.NewReplacer(":username", "anna", ":name", "team", ":id", "1").Replace(route.Path)
		if strings.HasPrefix(path, "/sse/") {
			st := c.open(path)
			s.armoured(name, st.header)
			s.stored(name, st.header)
			st.close()
			continue
		}
		// Who is asking cannot be found out, so most are refused before they are read.
		r := c.do(route.Method, path, fill(table[name].body, map[string]string{"$user": "anna", "$fresh": "new"}))
		s.armoured(name, r.header)
		if r.status >= http.StatusInternalServerError {
			failed++
			s.stored(name, r.header)
		}
	}
	if all := len(s.engine.Routes()); failed < all/2 {
		t.Errorf("%d of %d routes failed: the database is not away", failed, all)
	}
}

// TestNoTransportSecurityOverHTTP: browsers would refuse to come back to a host that they were told about on plain http,
// were they to heed it.
func TestNoTransportSecurityOverHTTP(t *testing.T) {
	t.Parallel()
	s := newSite(t, sqliteAddress(t), nil)
	if got := s.nobody().get("/").want(200).header.Values("Strict-Transport-Security"); got != nil {
		s.Errorf("Strict-Transport-Security %q", got)
	}
}

// TestScriptForOtherOrigins: any page may load it, and asks each time whether it is still the one it has. Of the rest of the
// page no other origin reads anything.
//
// Security: S26
func TestScriptForOtherOrigins(t *testing.T) {
	onEach(t, overHTTPS, func(s *site) {
		foreign := s.nobody().with("Origin", "https://anywhere.example")
		r := foreign.get("/belfry.js").want(http.StatusOK)
		if strings.HasPrefix(r.header.Get("Content-Type"), "text/html") {
			t.Fatal("the page came in its place: the front end was built before there was a script; make build")
		}
		s.armoured("the script", r.header)
		for name, want := range map[string]string{
			"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Credentials": "", "Cross-Origin-Resource-Policy": "cross-origin",
			"Cache-Control": "no-cache", "Content-Type": "text/javascript; charset=utf-8",
		} {
			if got := r.header.Get(name); got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
		tag := r.header.Get("ETag")
		if same := foreign.with("If-None-Match", tag).get("/belfry.js").want(http.StatusNotModified); len(same.body) > 0 {
			t.Error("what has not changed was sent again")
		}
		foreign.with("If-None-Match", `"another build"`).get("/belfry.js").want(http.StatusOK)
		for _, path := range []string{"/", "/inbox", "/index.html"} {
			r := foreign.get(path)
			if r.header.Get("Access-Control-Allow-Origin") != "" || r.header.Get("Cross-Origin-Resource-Policy") != "" {
				t.Errorf("%s is open to other origins", path)
			}
		}
		page := s.nobody().get("/")
		s.nobody().with("If-None-Match", page.header.Get("ETag")).get("/inbox/7").want(http.StatusNotModified)
	})
}
