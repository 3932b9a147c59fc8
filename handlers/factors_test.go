package handlers_test

import (
	"encoding/base32"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"belfry/models"
	"belfry/services"
)

// app is an authenticator app; it goes by the database's clock, which decides.
type app struct {
	*site
	secret string
}

// code is what it shows at that distance from now.
func (a *app) code(from time.Duration) string {
	a.Helper()
	clock := "CAST(unixepoch('subsec') * 1000 AS INTEGER)"
	if a.db.Dialect == services.Postgres {
		clock = "now_ms()"
	}
	code, err := totp.GenerateCode(a.secret, time.UnixMilli(a.number("SELECT "+clock)).Add(from))
	if err != nil {
		a.Fatal(err)
	}
	return code
}

// enroll puts an authenticator into use and gives its recovery codes.
func (c *client) enroll() (*app, []string) {
	c.Helper()
	a := &app{c.site, c.post("/api/v1/totp", nil).want(201).text("secret")}
	codes := c.post("/api/v1/totp/confirm", map[string]any{"code": a.code(0)}).want(200).list("recovery_codes")
	c.exec("UPDATE totps SET last_step = 0")
	return a, codes
}

func (r *reply) list(name string) (texts []string) {
	r.Helper()
	for _, v := range r.at(name).([]any) {
		texts = append(texts, v.(string))
	}
	return texts
}

func withCode(name, code string) map[string]any {
	return map[string]any{"username": name, "password": password, "code": code}
}

// recorded reads the audit log as an admin sees it, as "actor did whom", newest first, and its whole text.
func (c *client) recorded(query string) (lines []string, text string) {
	c.Helper()
	r := c.get("/api/v1/audit?" + query).want(200)
	for _, item := range r.items() {
		by := item["actor"].(map[string]any)
		lines = append(lines, strings.TrimSpace(by["type"].(string)+" "+by["name"].(string))+" "+item["action"].(string)+" "+item["user"].(string))
	}
	return lines, string(r.body)
}

func TestFactors(t *testing.T) {
	onEach(t, nil, func(s *site) {
		s.addUser("anna", models.RoleUser)
		s.addUser("root", models.RoleAdmin)
		c := s.login("anna")
		c.post("/api/v1/totp/confirm", map[string]any{"code": "123456"}).refused(409, "conflict")
		c.post("/api/v1/recovery-codes", nil).refused(409, "conflict")
		begun := c.post("/api/v1/totp", nil).want(201)
		if u, err := url.Parse(begun.text("uri")); err != nil || u.Scheme != "otpauth" || u.Query().Get("secret") != begun.text("secret") {
			s.Errorf("%s", begun.body)
		}
		if f := c.post("/api/v1/totp/confirm", map[string]any{"code": "000 00"}).refused(422, "invalid").fields(); len(f) != 1 || f[0] != "code" {
			s.Errorf("fields %q", f)
		}
		a, codes := c.enroll()
		if got := string(c.get("/api/v1/factors").want(200).body); strings.TrimSpace(got) != `{"password":true,"totp":true,"recovery_codes":10,"passkeys":0,"single_sign_on":false}` {
			s.Errorf("%s", got)
		}
		try := func(body map[string]any) *reply { s.Helper(); return s.nobody().post("/api/v1/login", body) }
		bare := map[string]any{"username": "anna", "password": password}
		wrong := try(map[string]any{"username": "anna", "password": "wrong", "code": a.code(0)}).refused(401, "unauthenticated")
		if r := try(bare).refused(401, "second_factor_required"); len(r.cookies()) > 0 {
			s.Errorf("cookies %v", r.cookies())
		}
		if r := try(withCode("anna", a.code(time.Hour))).refused(401, "unauthenticated"); string(r.body) != string(wrong.body) {
			s.Errorf("a wrong code is told apart from a wrong password: %s and %s", r.body, wrong.body)
		}
		code := a.code(0)
		in := try(withCode("ANNA", code[:3]+"-"+code[3:])).want(200)
		try(withCode("anna", code)).refused(401, "unauthenticated")
		try(withCode("anna", codes[0])).want(200)
		try(withCode("anna", codes[0])).refused(401, "unauthenticated")

		// The lock screen asks for the password alone.
		other := s.nobody()
		other.take(in)
		other.post("/api/v1/session/lock", nil).want(200)
		other.take(other.post("/api/v1/session/unlock", secret(password)).want(200))
		other.post("/api/v1/session/reauthenticate", secret(password)).want(204)

		fresh := c.post("/api/v1/recovery-codes", nil).want(201).list("recovery_codes")
		try(withCode("anna", codes[1])).refused(401, "unauthenticated")
		try(withCode("anna", fresh[0])).want(200)
		if left := c.get("/api/v1/factors").want(200).int("recovery_codes"); left != 9 {
			s.Errorf("%d are left", left)
		}
		c.do(http.MethodDelete, "/api/v1/totp", nil).want(204)
		try(bare).want(200)
		s.noSecret(a.secret, append(codes, fresh...))
	})
}

// noSecret looks for secrets where none may lie.
func (s *site) noSecret(secret string, codes []string) {
	s.Helper()
	lines, text := s.login("root").recorded("limit=200")
	want := map[string]int{"user anna totp.enabled anna": 1, "user anna totp.disabled anna": 1, "user anna recovery_codes.made anna": 2, "nobody recovery_code.used anna": 2}
	for _, line := range lines {
		want[line]--
	}
	for line, missing := range want {
		if missing > 0 {
			s.Errorf("%q is not on record: %q", line, lines)
		}
	}
	rows := strings.Join(s.dump(), "\n")
	for _, value := range append(codes, secret) {
		for _, form := range []string{value, strings.ReplaceAll(value, "-", "")} {
			if strings.Contains(text, form) || strings.Contains(s.log.String(), form) || strings.Contains(rows, form) {
				s.Errorf("%s lies in the record, the log or the database", form)
			}
		}
	}
}

// TestSecretsAreSealed: with a key for it no secret of an authenticator lies open, in use or not.
func TestSecretsAreSealed(t *testing.T) {
	onEach(t, nil, func(s *site) {
		s.addUser("anna", models.RoleUser)
		c := s.login("anna")
		a, _ := c.enroll()
		pending := c.post("/api/v1/totp", nil).want(201).text("secret")
		rows := strings.Join(s.rows("totps"), "\n")
		if strings.Count(rows, "sealed.") != 2 {
			s.Errorf("not both are sealed: %s", rows)
		}
		for _, secret := range []string{a.secret, pending} {
			raw, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(secret)
			if err != nil {
				s.Fatal(err)
			}
			for _, form := range []string{secret, base64.RawURLEncoding.EncodeToString([]byte(secret)), base64.RawURLEncoding.EncodeToString(raw)} {
				if strings.Contains(rows, form) {
					s.Errorf("%s can be read: %s", form, rows)
				}
			}
		}
		s.nobody().post("/api/v1/login", withCode("anna", a.code(0))).want(200)
	})
}

// TestFactorsNeedProof: who finds an open browser changes nothing about how one signs in.
func TestFactorsNeedProof(t *testing.T) {
	onEach(t, nil, func(s *site) {
		s.addUser("anna", models.RoleUser)
		c := s.login("anna")
		a, _ := c.enroll()
		s.age("proved_at", c.id, 5*time.Minute)
		c.post("/api/v1/totp", nil).refused(403, "reauthentication_required")
		c.do(http.MethodDelete, "/api/v1/totp", nil).refused(403, "reauthentication_required")
		c.post("/api/v1/recovery-codes", nil).refused(403, "reauthentication_required")
		s.nobody().post("/api/v1/login", withCode("anna", a.code(0))).want(200)
		c.post("/api/v1/session/reauthenticate", secret(password)).want(204)
		c.post("/api/v1/recovery-codes", nil).want(201)
	})
}

// TestOneCodeSignsInOnce shows one code, of either kind, many times at once.
func TestOneCodeSignsInOnce(t *testing.T) {
	onEach(t, nil, func(s *site) {
		s.addUser("anna", models.RoleUser)
		a, codes := s.login("anna").enroll()
		for _, code := range []string{a.code(0), codes[0], codes[1]} {
			replies := make([]*reply, 6)
			var all sync.WaitGroup
			for i := range replies {
				all.Go(func() { replies[i] = s.nobody().post("/api/v1/login", withCode("anna", code)) })
			}
			all.Wait()
			won := 0
			for _, r := range replies {
				if r.status == 200 {
					won++
				} else {
					r.refused(401, "unauthenticated")
				}
			}
			if won != 1 {
				s.Errorf("%d of %d signed in", won, len(replies))
			}
		}
	})
}

// TestWrongCodesAreThrottled: they count as wrong passwords do.
//
// Security: S29
func TestWrongCodesAreThrottled(t *testing.T) {
	onEach(t, func(set *settings) { set.rate = models.Rate{Count: 3, Per: time.Minute} }, func(s *site) {
		s.addUser("anna", models.RoleUser)
		c := s.login("anna")
		a, codes := c.enroll()
		for range 5 {
			s.nobody().post("/api/v1/login", withCode("anna", "")).refused(401, "second_factor_required")
		}
		for range 3 {
			s.nobody().post("/api/v1/login", withCode("anna", a.code(time.Hour))).refused(401, "unauthenticated")
		}
		s.nobody().post("/api/v1/login", withCode("anna", codes[0])).refused(429, "rate_limited")

		// A begun authenticator cannot be guessed by who has the open browser.
		c.post("/api/v1/totp", nil).want(201)
		for range 3 {
			c.post("/api/v1/totp/confirm", map[string]any{"code": "no code"}).refused(422, "invalid")
		}
		c.post("/api/v1/totp/confirm", map[string]any{"code": "123456"}).refused(429, "rate_limited")
	})
}

// TestFactorsOfFederated: somebody who came from the provider has no password; who has one may be bound to it all the same.
func TestFactorsOfFederated(t *testing.T) {
	onEach(t, federated(signUp), func(s *site) {
		s.addUser("anna", models.RoleUser)
		s.account("1", "anna")
		s.account("2", "bob")
		c := s.login("anna")
		if got := c.get("/api/v1/factors").want(200); got.at("password") != true || got.at("single_sign_on") != false {
			s.Errorf("%s", got.body)
		}
		for name, hasPassword := range map[string]bool{"anna": true, "bob": false} {
			v := s.visitor(s.provider)
			v.around(toLogin, name).want(200)
			if got := v.get("/api/v1/factors").want(200); got.at("password") != hasPassword || got.at("single_sign_on") != true {
				s.Errorf("%s: %s", name, got.body)
			}
		}
	})
}

// TestRemoveFactors helps somebody who has lost them.
//
// Security: S12
func TestRemoveFactors(t *testing.T) {
	onEach(t, nil, func(s *site) {
		s.addUser("anna", models.RoleUser)
		s.addUser("root", models.RoleAdmin)
		root := s.login("root")
		for _, by := range []*client{root, s.bearer(s.addKey(models.ScopeUsersWrite))} {
			c := s.login("anna")
			c.enroll()
			by.do(http.MethodDelete, "/api/v1/users/nobody/factors", nil).refused(404, "not_found")
			if by == root {
				s.age("proved_at", root.id, models.ReauthenticationWindow)
				by.do(http.MethodDelete, "/api/v1/users/ANNA/factors", nil).refused(403, "reauthentication_required")
				by.post("/api/v1/users/anna/reset-link", nil).refused(403, "reauthentication_required")
				by.post("/api/v1/session/reauthenticate", secret(password)).want(204)
			}
			by.do(http.MethodDelete, "/api/v1/users/ANNA/factors", nil).want(204)
			if got := c.get("/api/v1/session").refused(401, "unauthenticated").text("reason"); got != "admin" {
				s.Errorf("reason %q", got)
			}
		}
		s.login("anna")
		if lines, _ := root.recorded("action=factors.removed"); len(lines) != 2 || lines[1] != "user root factors.removed anna" || !strings.HasPrefix(lines[0], "key ") {
			s.Errorf("on record: %q", lines)
		}
	})
}
