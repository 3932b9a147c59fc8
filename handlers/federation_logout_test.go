package handlers_test

import (
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"maps"
	"net/url"
	"strings"
	"testing"
	"time"

	"belfry/internal/testoidc"
	"belfry/internal/testpg"
	"belfry/models"
)

// logoutToken is a good one but for what is changed; nil leaves a claim out.
func (s *site) logoutToken(change map[string]any) string {
	s.Helper()
	return s.sign("logout+jwt", change)
}

func (s *site) sign(typ string, change map[string]any) string {
	s.Helper()
	token, err := s.provider.Sign(typ, changed(s.provider, change))
	if err != nil {
		s.Fatal(err)
	}
	return token
}

func changed(p *testoidc.Provider, change map[string]any) map[string]any {
	claims := p.LogoutClaims("", "")
	maps.Copy(claims, change)
	maps.DeleteFunc(claims, func(_ string, value any) bool { return value == nil })
	return claims
}

// backchannel posts a logout token as a provider does.
func (s *site) backchannel(token string) *reply {
	s.Helper()
	return s.nobody().with("Content-Type", "application/x-www-form-urlencoded").post("/api/v1/oidc/backchannel-logout", url.Values{"logout_token": {token}}.Encode())
}

// sid is what the provider calls the session there.
func (s *site) sid(session string) (sid string) {
	s.Helper()
	if err := s.db.Write.Raw("SELECT oidc_sid FROM sessions WHERE id = ?", session).Scan(&sid).Error; err != nil || sid == "" {
		s.Fatalf("no session at the provider: %v", err)
	}
	return sid
}

// TestBackchannelLogout: what the provider says ends the sessions that began there, and no other.
// Security: S10, S13, S41, S38
func TestBackchannelLogout(t *testing.T) {
	onEach(t, federated(), func(s *site) {
		s.addUser("anna", models.RoleUser)
		s.addUser("bob", models.RoleUser)
		s.account("subject-a", "anna")
		s.account("subject-b", "bob")
		one, two, three, bob := s.visitor(s.provider), s.visitor(s.provider), s.visitor(s.provider), s.visitor(s.provider)
		for _, v := range []*visitor{one, two, three} {
			v.around(toLogin, "anna").want(200)
		}
		bob.around(toLogin, "bob").want(200)
		byPassword := s.login("anna")
		stream := one.stream("/sse/stream")
		stream.hello("active", "")
		state := func(c *client, want string) {
			s.Helper()
			r := c.get("/api/v1/session")
			got := "active"
			if r.status != 200 {
				got = r.refused(401, "unauthenticated").text("reason")
			}
			if got != want {
				s.Errorf("%s, want %s", got, want)
			}
		}
		r := s.backchannel(s.logoutToken(map[string]any{"sid": s.sid(one.id)})).want(200)
		if len(r.body) > 0 || r.header.Get("Cache-Control") != "no-store" {
			s.Errorf("answered with %q, %v", r.body, r.header)
		}
		stream.lock("ended", "logout")
		stream.end()
		state(one.client, "logout")
		state(two.client, "active")
		// A session that is not that person's.
		s.backchannel(s.logoutToken(map[string]any{"sid": s.sid(two.id), "sub": "subject-b"})).want(200)
		state(two.client, "active")
		s.backchannel(s.logoutToken(map[string]any{"sid": s.sid(two.id), "sub": "subject-a"})).want(200)
		state(two.client, "logout")
		state(three.client, "active")
		s.backchannel(s.logoutToken(map[string]any{"sub": "nobody here"})).want(200)
		s.backchannel(s.logoutToken(map[string]any{"sub": "subject-a"})).want(200)
		state(three.client, "logout")
		state(byPassword, "active")
		state(bob.client, "active")
		if n := s.number(`SELECT count(*) FROM audit WHERE action = 'session.ended' AND actor_type = 'provider' AND actor_name = 'Staff Portal'`); n != 3 {
			s.Errorf("%d ends by the provider in the record", n)
		}
		// As the provider does it by itself, at its own page.
		s.provider.ListenTo(s.url + "/api/v1/oidc/backchannel-logout")
		if err := s.provider.SignOut("subject-b"); err != nil {
			s.Fatal(err)
		}
		state(bob.client, "logout")
	})
}

// TestBackchannelLock: where the settings say so a session is locked, and a fresh sign-in gives it back.
// Security: S41
func TestBackchannelLock(t *testing.T) {
	onEach(t, federated(lockAtLogout, signUp), func(s *site) {
		s.account("subject-a", "anna")
		v := s.visitor(s.provider)
		v.around(toLogin, "anna").want(200)
		stream := v.stream("/sse/lock")
		stream.hello("active", "")
		before := s.sid(v.id)
		if err := s.provider.SignOut("subject-a"); err != nil {
			s.Fatal(err)
		}
		s.backchannel(s.logoutToken(map[string]any{"sid": before})).want(200)
		stream.lock("locked", "remote")
		v.get("/api/v1/notices").refused(423, "locked")
		v.around(toUnlock, "anna").want(200)
		stream.lock("active", "")
		// It hangs on the new session there from now on.
		if s.sid(v.id) == before {
			s.Error("the session still names the one at the provider that is over")
		}
		s.backchannel(s.logoutToken(map[string]any{"sid": before})).want(200)
		v.get("/api/v1/notices").want(200)
		s.backchannel(s.logoutToken(map[string]any{"sub": "subject-a"})).want(200)
		stream.lock("locked", "remote")
	})
}

// TestBackchannelOnEveryNode: a stream hears of it at once wherever it is, and that node refuses.
// Security: S10, S41
func TestBackchannelOnEveryNode(t *testing.T) {
	t.Parallel()
	address := testpg.Database(t)
	here := newSite(t, address, federated(signUp))
	there := newSite(t, address, func(set *settings) { federated(signUp)(set); set.federation.Issuer = here.provider.Issuer() })
	here.account("subject-a", "anna")
	v := here.visitor(here.provider)
	// Begun here, finished there.
	begun := v.there.SignIn(t, v.begin(toLogin), "anna", atTheProvider)
	elsewhere := *v
	elsewhere.client = there.nobody()
	r := elsewhere.finish(begun).want(200)
	v.take(r)
	elsewhere.take(r)
	streams := []*stream{v.stream("/sse/stream"), elsewhere.stream("/sse/lock")}
	for _, st := range streams {
		st.hello("active", "")
	}
	token := here.logoutToken(map[string]any{"sub": "subject-a"})
	there.backchannel(token).want(200)
	for _, st := range streams {
		st.lock("ended", "logout")
		st.end()
	}
	v.get("/api/v1/session").refused(401, "unauthenticated")
	elsewhere.get("/api/v1/session").refused(401, "unauthenticated")
	here.backchannel(token).refused(400, "invalid") // used on the other node
}

// TestBackchannelOvertakes: a sign-in that the provider took back before it was finished opens nothing.
// Security: S10, S41
func TestBackchannelOvertakes(t *testing.T) {
	onEach(t, federated(signUp), func(s *site) {
		s.account("subject-a", "anna")
		v := s.visitor(s.provider)
		v.around(toLogin, "anna").want(200)
		sid := s.sid(v.id) // the provider's session stays the same while its browser does
		for _, claims := range []map[string]any{{"sid": sid}, {"sub": "subject-a"}, {"sid": sid, "sub": "subject-a"}} {
			back := v.there.SignIn(s, v.begin(toLogin), "anna", atTheProvider)
			s.backchannel(s.logoutToken(claims)).want(200)
			if r := v.finish(back).refused(401, "unauthenticated"); len(r.cookies()) > 0 {
				s.Errorf("%v: a cookie came", claims)
			}
			if n := s.number("SELECT count(*) FROM sessions WHERE state <> 'ended'"); n != 0 {
				s.Errorf("%v: %d sessions go on", claims, n)
			}
		}
		back := v.there.SignIn(s, v.begin(toLogin), "anna", atTheProvider)
		s.backchannel(s.logoutToken(map[string]any{"sub": "somebody else"})).want(200)
		v.finish(back).want(200)
	})
}

// TestBackchannelWithoutNames: where the ID token gave the session no name, a logout token that names person and session
// ends it, also while it begins.
// Security: S10, S41
func TestBackchannelWithoutNames(t *testing.T) {
	onEach(t, federated(signUp), func(s *site) {
		s.account("subject-a", "anna")
		named, unnamed := s.visitor(s.provider), s.visitor(s.provider)
		named.around(toLogin, "anna").want(200)
		s.provider.Reissue(func(claims map[string]any) string {
			delete(claims, "sid")
			return signedBy(s, s.provider, claims)
		})
		unnamed.around(toLogin, "anna").want(200)
		s.backchannel(s.logoutToken(map[string]any{"sid": "one"})).want(200)
		s.backchannel(s.logoutToken(map[string]any{"sid": "one", "sub": "somebody else"})).want(200)
		unnamed.get("/api/v1/session").want(200)
		s.backchannel(s.logoutToken(map[string]any{"sid": "one", "sub": "subject-a"})).want(200)
		unnamed.get("/api/v1/session").refused(401, "unauthenticated")
		named.get("/api/v1/session").want(200)
		back := unnamed.there.SignIn(s, unnamed.begin(toLogin), "anna", atTheProvider)
		s.backchannel(s.logoutToken(map[string]any{"sid": "two", "sub": "subject-a"})).want(200)
		unnamed.finish(back).refused(401, "unauthenticated")
	})
}

// TestLogoutTokens: what is no logout token for us is refused, and nothing changes.
// Security: S41
func TestLogoutTokens(t *testing.T) {
	onEach(t, federated(signUp), func(s *site) {
		s.account("subject-a", "anna")
		v := s.visitor(s.provider)
		v.around(toLogin, "anna").want(200)
		good := map[string]any{"sub": "subject-a", "sid": s.sid(v.id)}
		with := func(name string, value any) string {
			claims := maps.Clone(good)
			claims[name] = value
			return s.logoutToken(claims)
		}
		now := time.Now()
		signed := s.logoutToken(good)
		parts := strings.Split(signed, ".")
		stranger := testoidc.Start(s, testoidc.Client{ID: "belfry"})
		foreign, err := stranger.Sign("logout+jwt", changed(s.provider, good))
		if err != nil {
			s.Fatal(err)
		}
		tokens := map[string]string{
			"empty": "", "no token": "nonsense", "two parts": parts[0] + "." + parts[1], "JSON": `{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`,
			"no signature": parts[0] + "." + parts[1] + ".", "another payload": parts[0] + "." + strings.Split(with("sub", "x"), ".")[1] + "." + parts[2],
			"another's key": foreign, "of another issuer": with("iss", stranger.Issuer()), "no issuer": with("iss", nil),
			"for another client": with("aud", "another"), "for others": with("aud", []string{"a", "b"}), "for nobody": with("aud", nil),
			"no event": with("events", nil), "another event": with("events", map[string]any{"https://schemas.openid.net/secevent/caep/event-type/session-revoked": map[string]any{}}),
			"an event that is no object": with("events", map[string]any{testoidc.LogoutEvent: "yes"}), "a null event": with("events", map[string]any{testoidc.LogoutEvent: nil}),
			"with a nonce": with("nonce", "n"), "with an empty nonce": with("nonce", ""),
			"expired": with("exp", now.Add(-time.Second).Unix()), "without end": with("exp", nil),
			"not yet issued": with("iat", now.Add(time.Hour).Unix()), "issued at no time": with("iat", nil), "without an id": with("jti", nil),
			"about nobody": s.logoutToken(nil), "a long subject": with("sub", strings.Repeat("s", 256)), "a subject with NUL": with("sub", "a\x00"),
			"an access token": s.sign("at+jwt", good), "a key to be fetched": s.forged(map[string]any{"alg": "RS256", "typ": "logout+jwt", "jku": stranger.Issuer() + "/keys"}, changed(s.provider, good), []byte("x")),
		}
		for _, alg := range []string{"none", "None", "NONE", ""} {
			tokens["alg "+alg] = s.forged(map[string]any{"alg": alg, "typ": "logout+jwt"}, changed(s.provider, good), nil)
		}
		for name, key := range s.publicKeys() {
			tokens["HS256 with "+name] = s.forged(map[string]any{"alg": "HS256", "typ": "logout+jwt", "kid": s.provider.KeyID()}, changed(s.provider, good), key)
		}
		before := s.traces()
		for name, token := range tokens {
			if r := s.backchannel(token); r.status != 400 {
				s.Errorf("%s: %d %s", name, r.status, r.body)
			} else {
				r.refused(400, "invalid")
			}
		}
		if after := s.traces(); after != before {
			s.Errorf("something changed: %v, was %v", after, before)
		}
		v.get("/api/v1/notices").want(200)
		for _, typ := range []string{"logout+jwt", "application/logout+jwt", "JWT", ""} {
			s.backchannel(s.sign(typ, map[string]any{"sub": "somebody"})).want(200)
		}
		s.backchannel(with("aud", []string{"another", "belfry"})).want(200)
		v.get("/api/v1/session").refused(401, "unauthenticated")
		s.backchannel(signed).want(200)
		s.backchannel(signed).refused(400, "invalid") // a replay
		s.exec("UPDATE logout_tokens SET expires_at = 0")
	})
}

// traces are what a logout token may leave behind.
func (s *site) traces() [3]int64 {
	return [3]int64{s.number("SELECT count(*) FROM sessions WHERE state = 'active'"), s.number("SELECT count(*) FROM logout_tokens"), s.number("SELECT head FROM log_head")}
}

// forged is a token by hand, signed by HMAC if there is a key.
func (s *site) forged(header, claims map[string]any, key []byte) string {
	s.Helper()
	var parts [2]string
	for i, part := range []map[string]any{header, claims} {
		raw, err := json.Marshal(part)
		if err != nil {
			s.Fatal(err)
		}
		parts[i] = base64.RawURLEncoding.EncodeToString(raw)
	}
	text := parts[0] + "." + parts[1]
	if key == nil {
		return text + "."
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// publicKeys are the forms in which the provider's key lies about.
func (s *site) publicKeys() map[string][]byte {
	s.Helper()
	der, err := x509.MarshalPKIXPublicKey(s.provider.PublicKey())
	if err != nil {
		s.Fatal(err)
	}
	public := s.provider.PublicKey().(*rsa.PublicKey)
	return map[string][]byte{"PEM": pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), "DER": der, "the modulus": public.N.Bytes(),
		"PKCS #1": x509.MarshalPKCS1PublicKey(public), "the client's secret": []byte("of belfry")}
}

// TestBackchannelForm: the one form in which a provider may ask.
func TestBackchannelForm(t *testing.T) {
	onEach(t, federated(signUp), func(s *site) {
		s.account("subject-a", "anna")
		v := s.visitor(s.provider)
		v.around(toLogin, "anna").want(200)
		token, path := s.logoutToken(map[string]any{"sub": "subject-a"}), "/api/v1/oidc/backchannel-logout"
		as := func(media string) *client { return s.nobody().with("Content-Type", media) }
		s.nobody().post(path, map[string]any{"logout_token": token}).refused(415, "unsupported_media_type")
		as("multipart/form-data; boundary=x").post(path, "logout_token="+token).refused(415, "unsupported_media_type")
		for _, body := range []string{"", "token=" + token, "logout_token=" + token + "&logout_token=" + token, "logout_token=%zz"} {
			as("application/x-www-form-urlencoded").post(path, body).refused(400, "invalid")
		}
		s.nobody().get(path+"?logout_token="+token).refused(405, "method_not_allowed")
		v.get("/api/v1/session").want(200)
		as("Application/X-WWW-Form-Urlencoded; charset=utf-8").post(path, "logout_token="+token).want(200)
		v.get("/api/v1/session").refused(401, "unauthenticated")
	})
}

// TestBackchannelThrottle: who guesses is slowed down, for each guess may cost a look at the provider's keys.
// Security: S41
func TestBackchannelThrottle(t *testing.T) {
	onEach(t, func(set *settings) { federated()(set); set.rate = models.Rate{Count: 1, Per: time.Hour} }, func(s *site) {
		for range 20 {
			s.backchannel(s.logoutToken(nil)).refused(400, "invalid")
		}
		s.backchannel(s.logoutToken(map[string]any{"sub": "somebody"})).refused(429, "rate_limited")
	})
}

// TestBackchannelLeavesWhatBeganOtherwise: a session that began by password is not the provider's to end, though its person
// has unlocked it there.
func TestBackchannelLeavesWhatBeganOtherwise(t *testing.T) {
	onEach(t, federated(), func(s *site) {
		s.addUser("anna", models.RoleUser)
		s.account("subject-a", "anna")
		v := s.visitor(s.provider)
		v.around(toLogin, "anna").want(200)
		v.client = s.login("anna")
		v.post("/api/v1/session/lock", nil).want(200)
		v.around(toUnlock, "anna").want(200)
		s.backchannel(s.logoutToken(map[string]any{"sub": "subject-a"})).want(200)
		v.get("/api/v1/session").want(200)
	})
}
