package handlers_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"belfry/internal/testoidc"
	"belfry/models"
	"belfry/services"
)

// atTheProvider is everybody's password there.
const atTheProvider = "another secret"

// federated turns single sign-on on.
func federated(change ...func(*services.FederationSettings)) func(*settings) {
	return func(set *settings) {
		set.federation = &services.FederationSettings{Name: "Staff Portal", ClientSecret: "of belfry"}
		for _, c := range change {
			c(set.federation)
		}
	}
}

func signUp(f *services.FederationSettings)       { f.SignUp = true }
func lockAtLogout(f *services.FederationSettings) { f.LockAtLogout = true }

// account gives a person an account at the provider.
func (s *site) account(subject, name string) {
	s.provider.Put(testoidc.User{Subject: subject, Username: name, Name: "The " + name, Password: atTheProvider, Email: name + "@example.org"})
}

// visitor is a browser that has the provider's cookies as well.
type visitor struct {
	*client
	there  *testoidc.Browser
	kept   string // the cookie of a sign-in that is under way
	cookie string // as it was set
}

func (s *site) visitor(p *testoidc.Provider) *visitor {
	s.Helper()
	return &visitor{client: s.nobody(), there: p.Browser(s)}
}

func (v *visitor) ask(path string, body any) *reply {
	v.Helper()
	req := v.request(http.MethodPost, path, body)
	if v.kept != "" {
		req.AddCookie(&http.Cookie{Name: v.cookieName() + "-oidc", Value: v.kept})
	}
	return v.send(req)
}

// begin asks where to go.
func (v *visitor) begin(path string) string {
	v.Helper()
	r := v.ask(path, nil).want(http.StatusOK)
	for _, k := range r.cookies() {
		if k.Name != v.cookieName()+"-oidc" {
			v.Fatalf("%s sets %s", path, k.Name)
		}
		v.kept, v.cookie = k.Value, k.Raw
	}
	return r.text("url")
}

func (v *visitor) finish(returned url.Values) *reply {
	v.Helper()
	return v.ask("/api/v1/login/oidc/finish", map[string]any{"code": returned.Get("code"), "state": returned.Get("state")})
}

// around goes once around: to the provider and back. It takes the cookie that comes.
func (v *visitor) around(path, name string) *reply {
	v.Helper()
	r := v.finish(v.there.SignIn(v, v.begin(path), name, atTheProvider))
	if r.status == http.StatusOK && r.header.Get("Set-Cookie") != "" {
		v.take(r)
		v.id = r.text("id")
	}
	return r
}

const (
	toLogin          = "/api/v1/login/oidc"
	toUnlock         = "/api/v1/session/unlock/oidc"
	toReauthenticate = "/api/v1/session/reauthenticate/oidc"
)

// TestFederatedLogin: a person is found by name the first time, and by subject from then on.
// Security: S39, S40
func TestFederatedLogin(t *testing.T) {
	onEach(t, federated(), func(s *site) {
		s.addUser("Anna", models.RoleUser)
		s.addUser("bob", models.RoleUser)
		s.account("subject-a", "anna")
		v := s.visitor(s.provider)
		first := v.around(toLogin, "anna").want(200)
		if first.text("user", "username") != "Anna" || first.text("state") != "active" || first.at("current") != true {
			s.Errorf("signed in as %s", first.body)
		}
		for _, part := range []string{"; HttpOnly", "; SameSite=Lax", "; Path=/", "; Max-Age=600"} {
			if !strings.Contains(v.cookie, part) || strings.Contains(v.cookie, "Domain") {
				s.Errorf("the cookie of the sign-in: %s", v.cookie)
			}
		}
		v.get("/api/v1/notices").want(200)
		// Again in the same browser: the provider knows it, and the old session ends.
		old := v.withCookie(v.client.cookie)
		v.around(toLogin, "not asked").want(200)
		if got := old.get("/api/v1/session").refused(401, "unauthenticated").text("reason"); got != "logout" {
			s.Errorf("the session before ended by %q", got)
		}
		// The name there is Bob's by now, the subject is not.
		s.account("subject-a", "bob")
		if r := s.visitor(s.provider).around(toLogin, "bob").want(200); r.text("user", "username") != "Anna" {
			s.Errorf("who changed the name there is %s", r.body)
		}
		// Who has Anna's name there now is not Anna: she is bound.
		s.account("subject-x", "anna")
		s.visitor(s.provider).around(toLogin, "anna").refused(403, "forbidden")
		if n := s.number("SELECT count(*) FROM identities"); n != 1 {
			s.Errorf("%d identities", n)
		}
		if n := s.number(`SELECT count(*) FROM audit WHERE action = 'session.started' AND username = 'Anna' AND detail LIKE '%single_sign_on%'`); n != 3 {
			s.Errorf("%d starts in the record", n)
		}
		if n := s.number(`SELECT count(*) FROM audit WHERE action = 'identity.linked' AND username = 'Anna' AND actor_type = 'provider'`); n != 1 {
			s.Errorf("%d links in the record", n)
		}
		if n := s.number(`SELECT count(*) FROM audit WHERE action = 'sign_in.failed'`); n != 1 {
			s.Errorf("%d failures in the record", n)
		}
	})
}

// TestFederatedSecure: over https the cookie of the sign-in is bound to this host.
// Security: S39
func TestFederatedSecure(t *testing.T) {
	t.Parallel()
	s := newSite(t, sqliteAddress(t), func(set *settings) { federated(signUp)(set); set.secure = true })
	s.account("subject-a", "anna")
	v := s.visitor(s.provider)
	v.around(toLogin, "anna").want(200)
	if !strings.HasPrefix(v.cookie, "__Host-belfry-oidc=") || !strings.Contains(v.cookie, "; Secure") {
		t.Errorf("the cookie: %s", v.cookie)
	}
}

// TestFederatedThinTokens: what the ID token does not tell is asked for.
// Security: S40
func TestFederatedThinTokens(t *testing.T) {
	onEach(t, func(set *settings) {
		federated(signUp, func(f *services.FederationSettings) { f.ClientSecret = "" })(set) // and a public client
		set.thinTokens = true
	}, func(s *site) {
		s.addUser("anna", models.RoleUser)
		s.account("subject-a", "anna")
		if r := s.visitor(s.provider).around(toLogin, "anna").want(200); r.text("user", "username") != "anna" {
			s.Errorf("signed in as %s", r.body)
		}
		// What it tells counts: it is signed.
		s.account("subject-c", "carl")
		s.provider.Reissue(func(claims map[string]any) string {
			claims["name"] = "Carl of the token"
			return signedBy(s, s.provider, claims)
		})
		if r := s.visitor(s.provider).around(toLogin, "carl").want(200); r.text("user", "display_name") != "Carl of the token" {
			s.Errorf("signed in as %s", r.body)
		}
		s.account("subject-b", "bob")
		s.provider.Reissue(func(claims map[string]any) string {
			claims["sub"] = "subject-b"
			return signedBy(s, s.provider, claims)
		})
		s.visitor(s.provider).around(toLogin, "anna").refused(401, "unauthenticated") // what was asked for is about somebody else
	})
}

// TestFederatedBinding: a sign-in ends in the browser where it began, once, in time, and with what was asked for.
// Security: S39
func TestFederatedBinding(t *testing.T) {
	onEach(t, federated(signUp), func(s *site) {
		s.account("subject-a", "anna")
		v := s.visitor(s.provider)
		refused := func(what string, r *reply) {
			s.Helper()
			if r.refused(401, "unauthenticated"); len(r.cookies()) > 0 {
				s.Errorf("%s: a refusal with cookies", what)
			}
		}
		// Of two tabs both come to their end.
		one, two := v.begin(toLogin), v.begin(toLogin)
		back := v.there.SignIn(s, one, "anna", atTheProvider)
		v.finish(v.there.SignIn(s, two, "anna", atTheProvider)).want(200)
		v.finish(back).want(200)
		refused("the same twice", v.finish(back))

		back = v.there.SignIn(s, v.begin(toLogin), "anna", atTheProvider)
		other := s.visitor(s.provider)
		other.begin(toLogin)
		refused("another browser", other.finish(back))
		back = v.there.SignIn(s, v.begin(toLogin), "anna", atTheProvider)
		refused("no cookie", s.visitor(s.provider).finish(back))

		back = v.there.SignIn(s, v.begin(toLogin), "anna", atTheProvider)
		again := v.there.SignIn(s, v.begin(toLogin), "anna", atTheProvider)
		refused("the code of another", v.finish(url.Values{"code": back["code"], "state": again["state"]}))
		refused("no state", v.finish(url.Values{"code": back["code"]}))
		refused("a state of nobody", v.finish(url.Values{"code": back["code"], "state": {strings.Repeat("A", 43)}}))
		refused("no code", v.finish(url.Values{"state": v.there.SignIn(s, v.begin(toLogin), "anna", atTheProvider)["state"]}))

		s.provider.Tamper(func(in *testoidc.SignIn) { in.Nonce = "of somebody else" })
		refused("a wrong nonce", v.around(toLogin, "anna"))
		s.provider.Tamper(func(in *testoidc.SignIn) { in.Nonce = "" })
		refused("no nonce", v.around(toLogin, "anna"))
		s.provider.Tamper(nil)

		back = v.there.SignIn(s, v.begin(toLogin), "anna", atTheProvider)
		s.exec("UPDATE ceremonies SET expires_at = created_at")
		refused("too late", v.finish(back))
		v.around(toLogin, "anna").want(200)
	})
}

// TestFederatedAway: that the provider does not answer stops nobody who is signed in, and is over when it answers.
func TestFederatedAway(t *testing.T) {
	onEach(t, federated(), func(s *site) {
		s.provider.Down(true) // from the beginning
		s.addUser("anna", models.RoleUser)
		s.account("subject-a", "anna")
		v := s.visitor(s.provider)
		for range 2 {
			v.ask(toLogin, nil).refused(503, "unavailable")
		}
		s.login("anna").get("/api/v1/session").want(200)
		s.nobody().get("/readyz").want(200)
		token := s.logoutToken(map[string]any{"sub": "subject-a"})
		s.backchannel(token).refused(503, "unavailable")
		s.provider.Down(false)
		back := v.there.SignIn(s, v.begin(toLogin), "anna", atTheProvider)
		s.provider.Down(true)
		v.finish(back).refused(503, "unavailable")
		s.provider.Down(false)
		v.around(toLogin, "anna").want(200)
		s.backchannel(token).want(200) // it was not used up
		v.get("/api/v1/session").refused(401, "unauthenticated")
		// Known, but not by its newest key.
		if err := s.provider.Rotate(); err != nil {
			s.Fatal(err)
		}
		token = s.logoutToken(map[string]any{"sub": "subject-a"})
		s.provider.Down(true)
		s.backchannel(token).refused(503, "unavailable")
		s.provider.Down(false)
		// The library that fetches the keys forgets how it went a moment after it has told so.
		again := s.backchannel(token)
		for end := time.Now().Add(patience); again.status == 503 && time.Now().Before(end); {
			again = s.backchannel(token)
		}
		again.want(200)
	})
}

// TestFederatedBehindProxy: the provider's proxy speaks for it while it is away, and that is no answer either. A logout token
// is not refused for it, because what is refused is not sent again.
func TestFederatedBehindProxy(t *testing.T) {
	onEach(t, federated(signUp), func(s *site) {
		s.account("subject-a", "anna")
		v := s.visitor(s.provider)
		v.around(toLogin, "anna").want(200)
		if err := s.provider.Rotate(); err != nil {
			s.Fatal(err)
		}
		token := s.logoutToken(map[string]any{"sub": "subject-a"})
		s.provider.DownBehindProxy(true)
		s.backchannel(token).refused(503, "unavailable")
		v.get("/api/v1/session").want(200)
		s.provider.DownBehindProxy(false)
		again := s.backchannel(token)
		for end := time.Now().Add(patience); again.status == 503 && time.Now().Before(end); { // as in TestFederatedAway
			again = s.backchannel(token)
		}
		again.want(200)
		v.get("/api/v1/session").refused(401, "unauthenticated")
	})
}

// TestFederatedRotation: another key at the provider needs nothing here.
// Security: S40
func TestFederatedRotation(t *testing.T) {
	onEach(t, federated(signUp), func(s *site) {
		s.account("subject-a", "anna")
		v := s.visitor(s.provider)
		v.around(toLogin, "anna").want(200)
		if err := s.provider.Rotate(); err != nil {
			s.Fatal(err)
		}
		v.around(toLogin, "anna").want(200)
		if err := s.provider.Rotate(); err != nil {
			s.Fatal(err)
		}
		s.backchannel(s.logoutToken(map[string]any{"sub": "subject-a"})).want(200)
		v.get("/api/v1/session").refused(401, "unauthenticated")
	})
}

// TestFederatedWays: a page is told in which ways somebody may sign in, and how a session may be unlocked.
func TestFederatedWays(t *testing.T) {
	onEach(t, federated(signUp), func(s *site) {
		if got := s.nobody().get("/api/v1/login").want(200).text("single_sign_on", "name"); got != "Staff Portal" {
			s.Errorf("the provider is called %q", got)
		}
		s.addUser("anna", models.RoleUser)
		s.account("subject-a", "anna")
		s.account("subject-b", "bob")
		ways := func(c *client, password, provider bool) {
			s.Helper()
			if r := c.get("/api/v1/session/unlock").want(200); r.at("password") != password || r.at("single_sign_on") != provider {
				s.Errorf("to unlock: %s, want password %v, single sign-on %v", r.body, password, provider)
			}
		}
		anna, bob := s.login("anna"), s.visitor(s.provider)
		ways(anna, true, false)
		bob.around(toLogin, "bob").want(200)
		bob.post("/api/v1/session/lock", nil).want(200)
		ways(bob.client, false, true)
		s.visitor(s.provider).around(toLogin, "anna").want(200)
		ways(anna, true, true)
	})
}

// TestFederationOff: without a provider there is nothing to be had.
func TestFederationOff(t *testing.T) {
	onEach(t, nil, func(s *site) {
		s.addUser("anna", models.RoleUser)
		c := s.login("anna")
		for _, path := range []string{toLogin, toUnlock, toReauthenticate} {
			c.post(path, nil).refused(404, "not_found")
		}
		c.post("/api/v1/login/oidc/finish", map[string]any{"code": "c", "state": "s"}).refused(404, "not_found")
		s.backchannel("x.y.z").refused(404, "not_found")
		s.bearer(s.addKey(models.ScopeUsersWrite)).do(http.MethodDelete, "/api/v1/users/anna/identity", nil).refused(404, "not_found")
		if got := c.get("/api/v1/login").want(200).at("single_sign_on"); got != nil {
			s.Errorf("single sign-on at %v", got)
		}
	})
}
