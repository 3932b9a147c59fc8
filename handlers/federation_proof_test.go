package handlers_test

import (
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"belfry/internal/testoidc"
	"belfry/models"
	"belfry/services"
)

// TestFederatedUnlock: a fresh sign-in by the same person opens the session, in place.
// Security: S2, S42
func TestFederatedUnlock(t *testing.T) {
	onEach(t, federated(signUp), func(s *site) {
		s.account("subject-a", "anna")
		s.account("subject-b", "bob")
		v, bob := s.visitor(s.provider), s.visitor(s.provider)
		v.around(toLogin, "anna").want(200)
		bob.around(toLogin, "bob").want(200)
		// While it is active it is given back as it is.
		if r := v.around(toUnlock, "anna").want(200); r.header.Get("Set-Cookie") != "" || r.text("id") != v.id {
			s.Errorf("unlocking what is active: %v %s", r.header, r.body)
		}
		v.post("/api/v1/session/lock", nil).want(200)
		old := v.withCookie(v.client.cookie)
		address := v.begin(toUnlock)
		if query := address[strings.Index(address, "?"):]; !strings.Contains(query, "prompt=login") || !strings.Contains(query, "max_age=0") {
			s.Errorf("no fresh sign-in is asked for: %s", address)
		}
		if returned, _ := v.there.Visit(s, address); returned != nil {
			s.Error("the provider asked for nothing")
		}
		back := v.there.SignIn(s, v.begin(toUnlock), "anna", atTheProvider)
		thief := *v
		thief.client = bob.client
		thief.finish(back).refused(401, "unauthenticated") // the same state and cookie, in another's session
		if got := bob.get("/api/v1/session").want(200).text("user", "username"); got != "bob" {
			s.Errorf("the session of bob is %s's", got)
		}
		id := v.id
		r := v.around(toUnlock, "anna").want(200)
		if r.text("id") != id || r.text("state") != "active" || v.client.cookie == old.cookie {
			s.Errorf("unlocked: %s", r.body)
		}
		old.get("/api/v1/session").refused(401, "unauthenticated")
		v.get("/api/v1/notices").want(200)
		if n := s.number(`SELECT count(*) FROM audit WHERE action = 'session.unlocked' AND username = 'anna' AND detail LIKE '%single_sign_on%'`); n != 1 {
			s.Errorf("%d unlocks in the record", n)
		}
	})
}

// TestFederatedUnlockRefused: another person, or a proof from before, opens nothing.
// Security: S42, L16
func TestFederatedUnlockRefused(t *testing.T) {
	onEach(t, federated(signUp), func(s *site) {
		s.account("subject-a", "anna")
		s.account("subject-b", "bob")
		s.addUser("carol", models.RoleUser)
		s.account("subject-c", "carol")
		s.visitor(s.provider).around(toLogin, "bob").want(200)
		v := s.visitor(s.provider)
		v.around(toLogin, "anna").want(200)
		v.post("/api/v1/session/lock", nil).want(200)
		for i, name := range []string{"bob", "carol"} {
			if r := v.around(toUnlock, name).refused(401, "unauthenticated"); r.int("attempts_left") != int64(4-i) || len(r.cookies()) > 0 {
				s.Errorf("unlocked by %s: %s", name, r.body)
			}
		}
		if n := s.number("SELECT failed_unlocks FROM sessions WHERE id = ?", v.id); n != 2 {
			s.Errorf("%d failed attempts", n)
		}
		if n := s.number("SELECT count(*) FROM identities WHERE subject = 'subject-c'"); n != 0 {
			s.Error("an unlock bound somebody")
		}
		for what, at := range map[string]time.Time{"before the lock": time.Now().Add(-time.Hour), "at no time": {}} {
			s.provider.Tamper(func(in *testoidc.SignIn) { in.AuthTime = at })
			if r := v.around(toUnlock, "anna").refused(401, "unauthenticated"); r.object()["attempts_left"] != nil {
				s.Errorf("the password given %s: %s", what, r.body)
			}
		}
		s.provider.Tamper(nil)
		if got := v.get("/api/v1/session").want(200).text("state"); got != "locked" {
			s.Errorf("the session is %s", got)
		}
		// One that ended meanwhile stays so.
		back := v.there.SignIn(s, v.begin(toUnlock), "anna", atTheProvider)
		v.post("/api/v1/logout", nil).want(204)
		if got := v.finish(back).refused(401, "unauthenticated").text("reason"); got != "logout" {
			s.Errorf("reason %q", got)
		}
	})
}

// TestFederatedReauthentication: a fresh sign-in is a proof, by the same person alone.
// Security: S12, S42
func TestFederatedReauthentication(t *testing.T) {
	onEach(t, federated(signUp), func(s *site) {
		s.account("subject-a", "anna")
		s.account("subject-b", "bob")
		s.visitor(s.provider).around(toLogin, "bob").want(200)
		v := s.visitor(s.provider)
		v.around(toLogin, "anna").want(200)
		s.age("proved_at", v.id, time.Hour)
		needed := func() {
			s.Helper()
			v.do(http.MethodDelete, "/api/v1/sessions", nil).refused(403, "reauthentication_required")
		}
		needed()
		v.around(toReauthenticate, "bob").refused(401, "unauthenticated")
		needed()
		s.provider.Tamper(func(in *testoidc.SignIn) { in.AuthTime = time.Now().Add(-time.Hour) })
		v.around(toReauthenticate, "anna").refused(401, "unauthenticated")
		s.provider.Tamper(nil)
		needed()
		back := v.there.SignIn(s, v.begin(toReauthenticate), "anna", atTheProvider)
		v.post("/api/v1/session/lock", nil).want(200)
		v.finish(back).refused(423, "locked")
		v.around(toUnlock, "anna").want(200)
		s.age("proved_at", v.id, time.Hour)
		needed()
		if r := v.around(toReauthenticate, "anna").want(200); r.header.Get("Set-Cookie") != "" || r.text("id") != v.id {
			s.Errorf("proved: %v %s", r.header, r.body)
		}
		v.do(http.MethodDelete, "/api/v1/sessions", nil).want(204)
	})
}

// TestIDTokens: an ID token that is not the provider's own for us, for this sign-in and for now opens nothing.
// Security: S40
func TestIDTokens(t *testing.T) {
	onEach(t, federated(signUp), func(s *site) {
		s.account("subject-a", "anna")
		stranger := testoidc.Start(s, testoidc.Client{ID: "belfry"})
		with := func(name string, value any) func(map[string]any) string {
			return func(claims map[string]any) string {
				claims[name] = value
				maps.DeleteFunc(claims, func(_ string, value any) bool { return value == nil })
				return signedBy(s, s.provider, claims)
			}
		}
		tokens := map[string]func(map[string]any) string{
			"none": func(map[string]any) string { return "" }, "of another issuer": with("iss", stranger.Issuer()), "for another client": with("aud", "another"),
			"for nobody": with("aud", nil), "for another party": with("azp", "another"), "for two, by neither's request": func(claims map[string]any) string {
				delete(claims, "azp")
				return with("aud", []string{"belfry", "another"})(claims)
			},
			"expired": with("exp", time.Now().Add(-time.Second).Unix()), "without end": with("exp", nil), "not yet": with("nbf", time.Now().Add(time.Hour).Unix()),
			"another nonce": with("nonce", "another"), "no nonce": with("nonce", nil), "about nobody": with("sub", ""), "a long subject": with("sub", strings.Repeat("s", 256)),
			"a subject with NUL": with("sub", "a\x00"), "a stranger's key": func(claims map[string]any) string { return signedBy(s, stranger, claims) },
			"alg none":       func(claims map[string]any) string { return s.forged(map[string]any{"alg": "none"}, claims, nil) },
			"a logout token": func(map[string]any) string { return s.logoutToken(map[string]any{"sub": "subject-a"}) },
		}
		for name, key := range s.publicKeys() {
			tokens["HS256 with "+name] = func(claims map[string]any) string {
				return s.forged(map[string]any{"alg": "HS256", "kid": s.provider.KeyID()}, claims, key)
			}
		}
		v := s.visitor(s.provider)
		for name, token := range tokens {
			s.provider.Reissue(token)
			if r := v.around(toLogin, "anna"); r.status != 401 || len(r.cookies()) > 0 {
				s.Errorf("%s: %d %s", name, r.status, r.body)
			}
		}
		if n := s.number("SELECT (SELECT count(*) FROM users) + (SELECT count(*) FROM identities) + (SELECT count(*) FROM sessions)"); n != 0 {
			s.Errorf("forged tokens left %d rows", n)
		}
		s.provider.Reissue(with("aud", []string{"belfry", "another"})) // azp says whom it was made for
		v.around(toLogin, "anna").want(200)
	})
}

func signedBy(s *site, p *testoidc.Provider, claims map[string]any) string {
	s.Helper()
	token, err := p.Sign("JWT", claims)
	if err != nil {
		s.Fatal(err)
	}
	return token
}

// TestProviderMetadata: a provider that calls itself by another name is none.
// Security: S40
func TestProviderMetadata(t *testing.T) {
	p := testoidc.Start(t, testoidc.Client{ID: "belfry"})
	onEach(t, federated(func(f *services.FederationSettings) {
		f.Issuer = strings.Replace(p.Issuer(), "127.0.0.1", "localhost", 1)
	}), func(s *site) {
		s.visitor(p).ask(toLogin, nil).refused(503, "unavailable")
	})
}
