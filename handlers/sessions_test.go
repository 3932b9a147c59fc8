package handlers_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"belfry/models"
	"belfry/services"
)

// TestLogin signs in, and fails in every way.
//
// Security: S29
func TestLogin(t *testing.T) {
	onEach(t, nil, func(s *site) {
		s.addUser("Anna", models.RoleAdmin)
		r := s.nobody().with("User-Agent", "A browser\xff").post("/api/v1/login", map[string]any{"username": "aNNa", "password": password}).want(200)
		want := []string{"created_at", "current", "id", "idle_remaining_ms", "ip", "last_active_at", "max_remaining_ms", "reason", "state", "user", "user_agent", "warning_ms"}
		if got := names(r.object()); !slices.Equal(got, want) {
			s.Errorf("a session has %q, want %q", got, want)
		}
		if got := names(r.at("user").(map[string]any)); !slices.Equal(got, []string{"display_name", "locale", "role", "username"}) {
			s.Errorf("its user has %q", got)
		}
		if r.text("state") != "active" || r.at("reason") != nil || r.at("current") != true || r.text("user", "username") != "Anna" || r.text("user", "role") != "admin" ||
			r.text("user_agent") != "A browser" || r.text("ip") != "127.0.0.1" || r.int("warning_ms") != 60_000 {
			s.Errorf("session %s", r.body)
		}
		for _, member := range []string{"created_at", "last_active_at"} {
			instant(s.TB, r.text(member))
		}
		if idle, most := r.int("idle_remaining_ms"), r.int("max_remaining_ms"); idle > 900_000 || idle < 890_000 || most > 43_200_000 || most < 43_190_000 {
			s.Errorf("remaining %d and %d", idle, most)
		}
		var bodies []string
		for _, pair := range [][2]string{{"anna", "wrong"}, {"nobody", password}, {"", ""}, {"anna", ""}, {"anna' OR 1=1 --", password}} {
			r := s.nobody().post("/api/v1/login", map[string]any{"username": pair[0], "password": pair[1]}).refused(401, "unauthenticated")
			if len(r.cookies()) > 0 {
				s.Errorf("%q: a cookie for a wrong pair", pair)
			}
			bodies = append(bodies, string(r.body))
		}
		if bodies = slices.Compact(bodies); len(bodies) > 1 {
			s.Errorf("a wrong pair is told apart from another: %q", bodies)
		}
		s.exec("UPDATE users SET disabled_at = 1")
		if r := s.nobody().post("/api/v1/login", map[string]any{"username": "anna", "password": password}).refused(401, "unauthenticated"); string(r.body) != bodies[0] {
			s.Errorf("a disabled user is told apart: %s", r.body)
		}
	})
}

// TestLoginWork: an unknown name costs a guesser as much as a known one. What a busy machine adds to one of them is gone in one of
// many tries; a hash that was not made is missing in all.
//
// Security: S29
func TestLoginWork(t *testing.T) {
	t.Parallel()
	s := newSite(t, sqliteAddress(t), func(set *settings) { set.cost = services.DefaultHashCost })
	if _, err := s.server.Users.Add(t.Context(), services.NewUser{Username: "anna", Password: password}); err != nil {
		t.Fatal(err)
	}
	took := map[string][]time.Duration{}
	const tries = 50
	for try := range tries {
		for _, name := range []string{"anna", "nobody"} {
			began := time.Now()
			s.nobody().post("/api/v1/login", map[string]any{"username": name, "password": "wrong"}).refused(401, "unauthenticated")
			took[name] = append(took[name], time.Since(began))
		}
		known, unknown := slices.Min(took["anna"]), slices.Min(took["nobody"])
		alike := unknown >= known/3 && known >= unknown/3
		if alike && try >= 6 {
			return
		}
	}
	t.Errorf("a known name takes %v, an unknown one %v", slices.Min(took["anna"]), slices.Min(took["nobody"]))
}

// TestCookie looks at the attributes of the cookie, over http and https.
//
// Security: S4, S5
func TestCookie(t *testing.T) {
	for _, secure := range []bool{false, true} {
		t.Run(map[bool]string{false: "http", true: "https"}[secure], func(t *testing.T) {
			onEach(t, func(set *settings) { set.secure = secure }, func(s *site) {
				s.addUser("anna", models.RoleUser)
				r := s.nobody().post("/api/v1/login", map[string]any{"username": "anna", "password": password}).want(200)
				rest := "; Path=/; HttpOnly; SameSite=Lax"
				name := "belfry="
				if secure {
					name, rest = "__Host-belfry=", "; Path=/; HttpOnly; Secure; SameSite=Lax"
				}
				set := r.header.Values("Set-Cookie")
				if len(set) != 1 || !strings.HasPrefix(set[0], name) || !strings.HasSuffix(set[0], rest) || strings.Count(set[0], ";") != strings.Count(rest, ";") {
					s.Errorf("Set-Cookie %q, want %s…%s", set, name, rest)
				}
				if hsts := r.header.Get("Strict-Transport-Security"); (hsts != "") != secure {
					s.Errorf("Strict-Transport-Security %q", hsts)
				}
				c := s.nobody()
				c.take(r)
				c.get("/api/v1/session").want(200)
				// The other name, as another site of this host could set it, is not looked at.
				s.nobody().with("Cookie", map[bool]string{true: "belfry=", false: "__Host-belfry="}[secure]+c.cookie).get("/api/v1/session").refused(401, "unauthenticated")
			})
		})
	}
}

// TestSessionIDs: an id that the server did not make never becomes one, and none comes twice.
//
// Security: S2, S3
func TestSessionIDs(t *testing.T) {
	onEach(t, nil, func(s *site) {
		s.addUser("anna", models.RoleUser)
		forged := "eyJhbGciOiJub25lIn0.e30."
		c := s.nobody().withCookie(forged)
		c.get("/api/v1/session").refused(401, "unauthenticated")
		r := c.post("/api/v1/login", map[string]any{"username": "anna", "password": password}).want(200)
		first := s.nobody()
		first.take(r)
		second := s.login("anna")
		if first.cookie == forged || first.cookie == second.cookie || first.id == second.id || strings.Contains(first.cookie, "bfk_") {
			s.Errorf("cookies %q and %q", first.cookie, second.cookie)
		}
		// Signing in again in the same browser ends the session that was there.
		old := *second
		second.take(second.post("/api/v1/login", map[string]any{"username": "anna", "password": password}).want(200))
		if got := old.get("/api/v1/session").refused(401, "unauthenticated").text("reason"); got != "logout" {
			s.Errorf("the replaced session ended for %q", got)
		}
		second.get("/api/v1/session").want(200)
	})
}

// TestLogout ends the session and clears what the browser keeps.
//
// Security: S10, S31
func TestLogout(t *testing.T) {
	onEach(t, nil, func(s *site) {
		s.addUser("anna", models.RoleUser)
		for _, locked := range []bool{false, true} {
			c, other := s.login("anna"), s.login("anna")
			if locked {
				c.post("/api/v1/session/lock", nil).want(200)
			}
			r := c.post("/api/v1/logout", nil).want(204)
			if got := r.header.Values("Clear-Site-Data"); len(got) != 1 || got[0] != `"cache", "storage"` {
				s.Errorf("Clear-Site-Data %q", got)
			}
			if k := r.cookies(); len(k) != 1 || k[0].Name != "belfry" || k[0].Value != "" || k[0].MaxAge >= 0 || k[0].Path != "/" || k[0].Domain != "" {
				s.Errorf("cookies %v", k)
			}
			if len(r.body) > 0 {
				s.Errorf("a 204 with %q", r.body)
			}
			if got := c.get("/api/v1/session").refused(401, "unauthenticated").text("reason"); got != "logout" {
				s.Errorf("reason %q", got)
			}
			other.get("/api/v1/session").want(200)
		}
	})
}

// TestCheck answers a proxy.
func TestCheck(t *testing.T) {
	onEach(t, nil, func(s *site) {
		s.addUser("Anna", models.RoleUser)
		c := s.login("anna")
		check := func(c *client, status int, name, state string) {
			s.Helper()
			r := c.get("/api/v1/session/check").want(status)
			if r.header.Get("X-Belfry-User") != name || r.header.Get("X-Belfry-State") != state {
				s.Errorf("X-Belfry-User %q, X-Belfry-State %q, want %q, %q", r.header.Get("X-Belfry-User"), r.header.Get("X-Belfry-State"), name, state)
			}
		}
		check(c, 204, "Anna", "")
		check(s.nobody(), 401, "", "none")
		check(s.nobody().withCookie("garbage"), 401, "", "none")
		check(s.bearer(s.addKey(models.Scopes...)), 401, "", "none")
		c.post("/api/v1/session/lock", nil).want(200)
		check(c, 401, "", "locked")
		c.post("/api/v1/logout", nil).want(204)
		check(c, 401, "", "ended")
	})
}

// TestIdle lets the time run out that a session may be idle, and that it may last at all.
//
// Security: S5, S6, L5, L11
func TestIdle(t *testing.T) {
	onEach(t, nil, func(s *site) {
		s.addUser("anna", models.RoleUser)
		c := s.login("anna")
		s.age("last_active_at", c.id, 13*time.Minute)
		for _, path := range []string{"/api/v1/session", "/api/v1/notices", "/api/v1/sessions", "/api/v1/session/check"} {
			c.get(path) // none of them is activity
		}
		c.post("/api/v1/stream-tickets", nil).want(201)
		c.stream("/sse/stream").hello("active", "")
		if left := c.get("/api/v1/session").want(200).int("idle_remaining_ms"); left > 120_000 {
			s.Errorf("reading, minting and streaming moved the idle clock: %d ms left", left)
		}
		if left := c.post("/api/v1/session/activity", nil).want(200).int("idle_remaining_ms"); left < 890_000 {
			s.Errorf("activity did not move the idle clock: %d ms left", left)
		}
		s.age("last_active_at", c.id, 14*time.Minute)
		c.post("/api/v1/notices/state", map[string]any{"ids": []int{1}, "read": true}).want(200)
		if left := c.get("/api/v1/session").want(200).int("idle_remaining_ms"); left < 890_000 {
			s.Errorf("a write did not move the idle clock: %d ms left", left)
		}
		s.age("last_active_at", c.id, 15*time.Minute)
		c.post("/api/v1/session/activity", nil).refused(423, "locked")
		r := c.get("/api/v1/session").want(200)
		if r.text("state") != "locked" || r.text("reason") != "idle" || r.int("idle_remaining_ms") != 0 {
			s.Errorf("session %s", r.body)
		}
		if got := c.post("/api/v1/session/lock", nil).want(200).text("reason"); got != "idle" {
			s.Errorf("locking what is locked changed the reason to %q", got)
		}
		// The lock is stored: no clock that goes back takes it away.
		s.age("last_active_at", c.id, -time.Hour)
		c.get("/api/v1/notices").refused(423, "locked")
		s.age("created_at", c.id, 12*time.Hour)
		c.post("/api/v1/session/unlock", map[string]any{"password": password}).refused(401, "unauthenticated")
		if got := c.get("/api/v1/session").refused(401, "unauthenticated").text("reason"); got != "max_age" {
			s.Errorf("reason %q", got)
		}
	})
}

// TestThrottle: failures of one account from one address are bounded, and others are not shut out.
//
// Security: S29
func TestThrottle(t *testing.T) {
	onEach(t, func(set *settings) { set.rate = models.Rate{Count: 3, Per: time.Minute} }, func(s *site) {
		s.addUser("anna", models.RoleUser)
		s.addUser("bob", models.RoleUser)
		c := s.login("anna")
		try := func(name, secret string) *reply {
			return s.nobody().post("/api/v1/login", map[string]any{"username": name, "password": secret})
		}
		for range 3 {
			try("anna", "wrong").refused(401, "unauthenticated")
		}
		for _, secret := range []string{"wrong", password} {
			r := try("ANNA", secret).refused(429, "rate_limited")
			if after, err := strconv.Atoi(r.header.Get("Retry-After")); err != nil || after < 1 || after > 60 {
				s.Errorf("Retry-After %q", r.header.Get("Retry-After"))
			}
		}
		try("bob", password).want(200)
		// Unlocking is counted apart: a stranger's failures do not keep anybody locked.
		c.post("/api/v1/session/lock", nil).want(200)
		c.take(c.post("/api/v1/session/unlock", map[string]any{"password": password}).want(200))
		for range 3 {
			c.post("/api/v1/session/reauthenticate", map[string]any{"password": "wrong"}).refused(401, "unauthenticated")
		}
		c.post("/api/v1/session/reauthenticate", map[string]any{"password": password}).refused(429, "rate_limited")
	})
}

func names(o map[string]any) []string {
	list := make([]string, 0, len(o))
	for name := range o {
		list = append(list, name)
	}
	slices.Sort(list)
	return list
}

// instant wants RFC 3339 in UTC with milliseconds.
func instant(t testing.TB, text string) time.Time {
	t.Helper()
	at, err := time.Parse("2006-01-02T15:04:05.000Z", text)
	if err != nil {
		t.Errorf("%q is no time", text)
	}
	return at
}
