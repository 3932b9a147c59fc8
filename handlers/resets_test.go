package handlers_test

import (
	"strings"
	"testing"
	"time"

	"belfry/models"
)

// resetLink makes a link and gives its token.
func (c *client) resetLink(name string) string {
	c.Helper()
	r := c.post("/api/v1/users/"+name+"/reset-link", nil).want(201)
	instant(c.TB, r.text("expires_at"))
	token, found := strings.CutPrefix(r.text("url"), c.settings.public.String()+"/reset#")
	if !found || len(token) < 43 {
		c.Fatalf("%s", r.body)
	}
	return token
}

func newPassword(token, next string) map[string]any {
	return map[string]any{"token": token, "new": next}
}

// TestResetLink goes once around: an admin makes a link, its token sets a password.
//
// Security: S11
func TestResetLink(t *testing.T) {
	onEach(t, nil, func(s *site) {
		s.addUser("anna", models.RoleUser)
		s.addUser("root", models.RoleAdmin)
		root, key := s.login("root"), s.bearer(s.addKey(models.ScopeUsersWrite))
		open, next := s.login("anna"), "another "+password
		root.post("/api/v1/users/nobody/reset-link", nil).refused(404, "not_found")
		old, token := root.resetLink("ANNA"), key.resetLink("anna")
		reset := func(token, next string) *reply {
			s.Helper()
			return s.nobody().post("/api/v1/password/reset", newPassword(token, next))
		}
		bad := reset("none", next).refused(422, "invalid")
		if f := bad.fields(); len(f) != 1 || f[0] != "token" {
			s.Errorf("fields %q", f)
		}
		if f := reset(token, "short").refused(422, "invalid").fields(); len(f) != 1 || f[0] != "new" {
			s.Errorf("fields %q", f)
		}
		same := func(what, token string) {
			s.Helper()
			if r := reset(token, next).refused(422, "invalid"); string(r.body) != string(bad.body) {
				s.Errorf("%s is told apart: %s", what, r.body)
			}
		}
		same("one that was voided", old)
		open.get("/api/v1/session").want(200)
		if r := reset(token, next).want(204); len(r.cookies()) > 0 || len(r.body) > 0 {
			s.Errorf("it signs in: %v %s", r.cookies(), r.body)
		}
		if got := open.get("/api/v1/session").refused(401, "unauthenticated").text("reason"); got != "password_changed" {
			s.Errorf("reason %q", got)
		}
		same("one that was used", token)
		late := root.resetLink("anna")
		s.exec("UPDATE password_resets SET expires_at = expires_at - ?", time.Hour.Milliseconds())
		same("one that has expired", late)
		s.nobody().post("/api/v1/login", map[string]any{"username": "anna", "password": password}).refused(401, "unauthenticated")
		s.nobody().post("/api/v1/login", map[string]any{"username": "anna", "password": next}).want(200)

		lines, text := root.recorded("user=anna")
		for line, missing := range map[string]int{"user root password.reset_link_made anna": 2, "nobody password.reset anna": 1, "nobody session.ended anna": 1} {
			for _, have := range lines {
				if have == line {
					missing--
				}
			}
			if missing > 0 {
				s.Errorf("%q is not on record: %q", line, lines)
			}
		}
		everywhere := text + s.log.String() + strings.Join(s.dump(), "\n")
		for _, secret := range []string{old, token, late, next} {
			if strings.Contains(everywhere, secret) {
				s.Error("a token or the password lies in the record, the log or the database")
			}
		}
	})
}

// TestResetKeepsTheSecondFactor: the link stands for the password alone.
func TestResetKeepsTheSecondFactor(t *testing.T) {
	onEach(t, nil, func(s *site) {
		s.addUser("anna", models.RoleUser)
		a, _ := s.login("anna").enroll()
		token := s.bearer(s.addKey(models.ScopeUsersWrite)).resetLink("anna")
		s.nobody().post("/api/v1/password/reset", newPassword(token, password)).want(204)
		s.nobody().post("/api/v1/login", withCode("anna", "")).refused(401, "second_factor_required")
		s.nobody().post("/api/v1/login", withCode("anna", a.code(0))).want(200)
	})
}

// TestResetsAreThrottled by the address, as sign-ins are: twenty times as many as one account may fail.
//
// Security: S29
func TestResetsAreThrottled(t *testing.T) {
	onEach(t, func(set *settings) { set.rate = models.Rate{Count: 1, Per: time.Hour} }, func(s *site) {
		s.addUser("anna", models.RoleUser)
		token := s.bearer(s.addKey(models.ScopeUsersWrite)).resetLink("anna")
		for range 20 {
			s.nobody().post("/api/v1/password/reset", newPassword("none", password)).refused(422, "invalid")
		}
		s.nobody().post("/api/v1/password/reset", newPassword(token, password)).refused(429, "rate_limited")
	})
}
