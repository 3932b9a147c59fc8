package handlers_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/descope/virtualwebauthn"

	"belfry/models"
)

// device holds one passkey, as a phone would.
type device struct {
	virtualwebauthn.Authenticator
	party virtualwebauthn.RelyingParty
	key   virtualwebauthn.Credential
}

func newDevice() *device {
	d := &device{Authenticator: virtualwebauthn.NewAuthenticator(), party: virtualwebauthn.RelyingParty{ID: homepage.Host, Origin: homepage.String()}}
	// The library writes a coordinate without its leading zeros, which is no valid key: one of 128.
	const length = 77
	for d.key = virtualwebauthn.NewCredential(virtualwebauthn.KeyTypeEC2); len(d.key.Key.AttestationData()) != length; {
		d.key = virtualwebauthn.NewCredential(virtualwebauthn.KeyTypeEC2)
	}
	return d
}

// answer is what the page sends for what it was asked, with whatever the browser said.
func (r *reply) answer(name, credential string) map[string]any {
	body := map[string]any{"ceremony": r.text("ceremony"), "credential": json.RawMessage(credential)}
	if name != "" {
		body["name"] = name
	}
	return body
}

// enrol gives a client's person a passkey.
func (c *client) enrol(name string) *device {
	c.Helper()
	d := newDevice()
	c.post("/api/v1/passkeys", d.make(c.post("/api/v1/passkeys/options", nil).want(200), name)).want(201)
	return d
}

func (d *device) make(r *reply, name string) map[string]any {
	r.Helper()
	options, err := virtualwebauthn.ParseAttestationOptions(asJSON(r.at("options")))
	if err != nil {
		r.Fatal(err)
	}
	d.Options.UserHandle = []byte(options.UserID)
	return r.answer(name, virtualwebauthn.CreateAttestationResponse(d.party, d.Authenticator, d.key, *options))
}

func (d *device) sign(r *reply) map[string]any {
	r.Helper()
	options, err := virtualwebauthn.ParseAssertionOptions(asJSON(r.at("options")))
	if err != nil {
		r.Fatal(err)
	}
	d.key.Counter++
	return r.answer("", virtualwebauthn.CreateAssertionResponse(d.party, d.Authenticator, d.key, *options))
}

func asJSON(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// TestPasskeys goes once around by HTTP: made, listed, used to unlock, to prove oneself and to sign in, removed.
// Security: S2, S12
func TestPasskeys(t *testing.T) {
	onEach(t, nil, func(s *site) {
		s.addUser("anna", models.RoleUser)
		c := s.login("anna")
		if r := s.nobody().get("/api/v1/login").want(200); r.at("passkeys") != true || r.at("single_sign_on") != nil {
			s.Errorf("how to sign in: %s", r.body)
		}
		ways := func(password, passkey bool) {
			s.Helper()
			if r := c.get("/api/v1/session/unlock").want(200); r.at("password") != password || r.at("passkey") != passkey || r.at("single_sign_on") != false {
				s.Errorf("how to unlock: %s", r.body)
			}
		}
		ways(true, false)
		c.post("/api/v1/session/unlock/passkey/options", nil).refused(409, "conflict")
		d := newDevice()
		asked := c.post("/api/v1/passkeys/options", nil).want(200)
		if asked.at("options", "rp", "id") != homepage.Host || asked.at("options", "attestation") != "none" || asked.at("options", "authenticatorSelection", "userVerification") != "required" ||
			asked.at("options", "authenticatorSelection", "residentKey") != "preferred" || asked.at("options", "user", "name") != "anna" {
			s.Errorf("asked for a new passkey: %s", asked.body)
		}
		made := c.with("Idempotency-Key", "one").post("/api/v1/passkeys", d.make(asked, "Anna's phone 📱")).want(201)
		if made.text("name") != "Anna's phone 📱" || made.at("last_used_at") != nil || made.header.Get("Idempotency-Replayed") != "" {
			s.Errorf("made: %s", made.body)
		}
		again := c.with("Idempotency-Key", "one").post("/api/v1/passkeys", d.make(asked, "Anna's phone 📱")).refused(422, "idempotency_mismatch") // signed anew
		if again.header.Get("Idempotency-Replayed") != "" {
			s.Error("a refusal was replayed")
		}

		c.post("/api/v1/session/lock", nil).want(200)
		ways(true, true)
		old := c.cookie
		r := c.post("/api/v1/session/unlock/passkey", d.sign(c.post("/api/v1/session/unlock/passkey/options", nil).want(200))).want(200)
		c.take(r)
		if c.cookie == old || r.text("state") != "active" || r.text("id") != c.id {
			s.Errorf("unlocked: %s", r.body)
		}
		c.withCookie(old).get("/api/v1/session").refused(401, "unauthenticated")
		// While active nothing changes, whatever is sent.
		if r := c.post("/api/v1/session/unlock/passkey", map[string]any{"ceremony": "none", "credential": map[string]any{}}).want(200); len(r.cookies()) > 0 {
			s.Errorf("unlocking what is active gives a cookie: %v", r.cookies())
		}
		s.exec("UPDATE sessions SET proved_at = proved_at - ?", models.ReauthenticationWindow.Milliseconds())
		c.post("/api/v1/passkeys/options", nil).refused(403, "reauthentication_required")
		c.do(http.MethodDelete, "/api/v1/passkeys/"+strconv.FormatInt(made.int("id"), 10), nil).refused(403, "reauthentication_required")
		c.post("/api/v1/session/reauthenticate/passkey", d.sign(c.post("/api/v1/session/reauthenticate/passkey/options", nil).want(200))).want(204)

		other := s.nobody()
		r = other.post("/api/v1/login/passkey", d.sign(other.post("/api/v1/login/passkey/options", nil).want(200))).want(200)
		other.take(r)
		if r.text("user", "username") != "anna" || other.get("/api/v1/session").want(200).text("id") == c.id {
			s.Errorf("signed in: %s", r.body)
		}
		list := other.get("/api/v1/passkeys").want(200)
		if items := list.items(); len(items) != 1 || items[0]["last_used_at"] == nil || list.at("next_before") != nil {
			s.Errorf("the list: %s", list.body)
		}
		c.do(http.MethodDelete, "/api/v1/passkeys/"+strconv.FormatInt(made.int("id"), 10), nil).want(204)
		s.nobody().post("/api/v1/login/passkey", d.sign(other.post("/api/v1/login/passkey/options", nil).want(200))).refused(401, "unauthenticated")
		ways(true, false)
	})
}

// TestPasskeyRepeated: the same request under the same key makes one passkey.
func TestPasskeyRepeated(t *testing.T) {
	onEach(t, nil, func(s *site) {
		s.addUser("anna", models.RoleUser)
		c := s.login("anna").with("Idempotency-Key", "once")
		body := newDevice().make(c.post("/api/v1/passkeys/options", nil).want(200), "phone")
		first, second := c.post("/api/v1/passkeys", body).want(201), c.post("/api/v1/passkeys", body).want(201)
		if string(first.body) != string(second.body) || second.header.Get("Idempotency-Replayed") != "true" {
			s.Errorf("%s and %s", first.body, second.body)
		}
	})
}

// TestPasskeyWhileLocked: a locked session may unlock by passkey and ask how, and nothing else with passkeys. Its wrong
// attempts count together with those of the password.
// Security: L2, L17
func TestPasskeyWhileLocked(t *testing.T) {
	onEach(t, nil, func(s *site) {
		s.addUser("anna", models.RoleUser)
		s.addUser("bob", models.RoleUser)
		c, bob := s.login("anna"), s.login("bob")
		own, theirs := c.enrol("phone"), bob.enrol("phone")
		id := strconv.Itoa(int(c.get("/api/v1/passkeys").want(200).items()[0]["id"].(float64)))
		bob.do(http.MethodDelete, "/api/v1/passkeys/"+id, nil).refused(404, "not_found")
		c.post("/api/v1/session/lock", nil).want(200)
		for _, route := range []string{"POST /passkeys/options", "POST /passkeys", "GET /passkeys", "DELETE /passkeys/" + id,
			"POST /session/reauthenticate/passkey/options", "POST /session/reauthenticate/passkey"} {
			method, path, _ := strings.Cut(route, " ")
			c.do(method, "/api/v1"+path, nil).refused(423, "locked")
		}
		ask := func() *reply { return c.post("/api/v1/session/unlock/passkey/options", nil).want(200) }
		wrong := func(left int64, r *reply) {
			s.Helper()
			if p := r.refused(401, "unauthenticated"); p.int("attempts_left") != left || p.object()["reason"] != nil {
				s.Errorf("want %d attempts left: %s", left, p.body)
			}
		}
		wrong(4, c.post("/api/v1/session/unlock/passkey", theirs.sign(ask())))
		wrong(3, c.post("/api/v1/session/unlock", secret("wrong")))
		wrong(2, c.post("/api/v1/session/unlock/passkey", theirs.sign(ask())))
		body := own.sign(ask())
		s.exec("UPDATE ceremonies SET expires_at = 0")
		if fields := c.post("/api/v1/session/unlock/passkey", body).refused(422, "invalid").fields(); len(fields) != 1 || fields[0] != "ceremony" {
			s.Errorf("too late: %v", fields)
		}
		wrong(1, c.post("/api/v1/session/unlock/passkey", theirs.sign(ask())))
		last := ask()
		for range 2 {
			if reason := c.post("/api/v1/session/unlock/passkey", theirs.sign(last)).refused(401, "unauthenticated").text("reason"); reason != "too_many_attempts" {
				s.Errorf("the fifth: reason %q", reason)
			}
		}
		c.post("/api/v1/session/unlock/passkey", own.sign(last)).refused(401, "unauthenticated")
	})
}

// TestPasskeyInput: what is no answer of a browser is refused by its field, and is no attempt.
func TestPasskeyInput(t *testing.T) {
	onEach(t, nil, func(s *site) {
		s.addUser("anna", models.RoleUser)
		c := s.login("anna")
		c.enrol("phone")
		asked := c.post("/api/v1/passkeys/options", nil).want(200)
		for _, text := range []string{"null", "[]", `"x"`, "{}", `{"id": 1}`, `{"id": "AA", "rawId": "AA", "type": "public-key", "response": {}}`,
			`{"id": "AA", "rawId": "AA", "type": "public-key", "response": {"clientDataJSON": "e30", "attestationObject": "oA", "authenticatorData": "AA", "signature": "AA"}}`} {
			credential := json.RawMessage(text)
			for path, r := range map[string]*reply{
				"login":          s.nobody().post("/api/v1/login/passkey", map[string]any{"ceremony": "x", "credential": credential}),
				"reauthenticate": c.post("/api/v1/session/reauthenticate/passkey", map[string]any{"ceremony": "x", "credential": credential}),
				"add":            c.post("/api/v1/passkeys", map[string]any{"ceremony": asked.text("ceremony"), "name": "x", "credential": credential}),
			} {
				if fields := r.refused(422, "invalid").fields(); len(fields) != 1 || !strings.Contains(fields[0], "credential") {
					s.Errorf("%s with %s: %v", path, text, fields)
				}
			}
		}
		c.post("/api/v1/session/lock", nil).want(200)
		c.post("/api/v1/session/unlock/passkey", map[string]any{"ceremony": "x", "credential": map[string]any{}}).refused(422, "invalid")
		if n := s.number("SELECT failed_unlocks FROM sessions WHERE id = ?", c.id); n != 0 {
			s.Errorf("%d attempts were counted", n)
		}
	})
}

// TestPasskeysOff: where PUBLIC_URL has an address for a host there are none.
func TestPasskeysOff(t *testing.T) {
	onEach(t, func(set *settings) { set.public = &url.URL{Scheme: "http", Host: "127.0.0.1:8080"} }, func(s *site) {
		s.addUser("anna", models.RoleUser)
		c := s.login("anna")
		if s.nobody().get("/api/v1/login").want(200).at("passkeys") != false || c.get("/api/v1/session/unlock").want(200).at("passkey") != false {
			s.Error("it is said that there are passkeys")
		}
		body := map[string]any{"ceremony": "x", "credential": map[string]any{}}
		for _, path := range []string{"/passkeys/options", "/login/passkey/options", "/login/passkey", "/session/unlock/passkey/options", "/session/unlock/passkey",
			"/session/reauthenticate/passkey/options", "/session/reauthenticate/passkey"} {
			if strings.HasSuffix(path, "options") {
				c.post("/api/v1"+path, nil).refused(404, "not_found")
			} else {
				c.post("/api/v1"+path, body).refused(404, "not_found")
			}
		}
		c.get("/api/v1/passkeys").refused(404, "not_found")
		c.do(http.MethodDelete, "/api/v1/passkeys/1", nil).refused(404, "not_found")
	})
}
