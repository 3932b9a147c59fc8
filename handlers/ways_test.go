package handlers_test

import (
	"testing"
	"time"

	"belfry/models"
)

// TestWays: where there is a provider its name is told, and who is known there may unlock by it.
func TestWays(t *testing.T) {
	onEach(t, federated(), func(s *site) {
		if got := s.nobody().get("/api/v1/login").want(200).text("single_sign_on", "name"); got != "Staff Portal" {
			s.Errorf("the provider is called %q", got)
		}
		s.addUser("anna", models.RoleUser)
		s.account("sub-anna", "anna")
		c := s.login("anna")
		if c.get("/api/v1/session/unlock").want(200).at("single_sign_on") != false {
			s.Error("who never was at the provider may unlock there")
		}
		v := s.visitor(s.provider)
		v.around("/api/v1/login/oidc", "anna").want(200)
		c.post("/api/v1/session/lock", nil).want(200)
		if c.get("/api/v1/session/unlock").want(200).at("single_sign_on") != true {
			s.Error("who is known at the provider may not unlock there")
		}
		s.exec("UPDATE users SET password_hash = ''")
		if r := c.get("/api/v1/session/unlock").want(200); r.at("password") != false || r.at("passkey") != false {
			s.Errorf("who has neither: %s", r.body)
		}
	})
}

// TestBegunWithoutEnd: who begins sign-ins and never ends one is made to wait, for each is kept until it expires. It does not
// keep them from their password.
// Security: S29
func TestBegunWithoutEnd(t *testing.T) {
	onEach(t, func(set *settings) {
		federated()(set)
		set.rate = models.Rate{Count: 1, Per: time.Hour}
	}, func(s *site) {
		s.addUser("anna", models.RoleUser)
		for range 10 {
			s.nobody().post("/api/v1/login/passkey/options", nil).want(200)
			s.nobody().post("/api/v1/login/oidc", nil).want(200)
		}
		s.nobody().post("/api/v1/login/passkey/options", nil).refused(429, "rate_limited")
		s.nobody().post("/api/v1/login/oidc", nil).refused(429, "rate_limited")
		if begun := s.number("SELECT count(*) FROM ceremonies"); begun != 20 {
			s.Errorf("%d are kept", begun)
		}
		c := s.login("anna")
		for range 20 {
			c.post("/api/v1/session/unlock/oidc", nil).want(200)
		}
		c.post("/api/v1/session/unlock/oidc", nil).refused(429, "rate_limited")
	})
}
