package handlers_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"

	"belfry/internal/testoidc"
	"belfry/models"
	"belfry/services"
)

// TestFederatedSignUpOff: who is not known is refused, unless the settings say otherwise.
func TestFederatedSignUpOff(t *testing.T) {
	onEach(t, federated(), func(s *site) {
		s.account("subject-a", "anna")
		v := s.visitor(s.provider)
		v.around(toLogin, "anna").refused(403, "forbidden")
		if n := s.number("SELECT (SELECT count(*) FROM users) + (SELECT count(*) FROM identities) + (SELECT count(*) FROM sessions)"); n != 0 {
			s.Errorf("a refused sign-in left %d rows", n)
		}
	})
}

// TestFederatedSignUpOn: a new person is a plain user, whom no password opens.
func TestFederatedSignUpOn(t *testing.T) {
	onEach(t, federated(signUp), func(s *site) {
		s.account("subject-a", "anna")
		v := s.visitor(s.provider)
		r := v.around(toLogin, "anna").want(200)
		if r.text("user", "username") != "anna" || r.text("user", "display_name") != "The anna" || r.text("user", "role") != "user" {
			s.Errorf("added as %s", r.body)
		}
		for _, guess := range []string{"", " ", atTheProvider, "single_sign_on"} {
			s.nobody().post("/api/v1/login", map[string]any{"username": "anna", "password": guess}).refused(401, "unauthenticated")
		}
		s.provider.Put(testoidc.User{Subject: "subject-l", Username: "lena", Password: atTheProvider, Name: strings.Repeat("é", 101)})
		if r := s.visitor(s.provider).around(toLogin, "lena").want(200); r.text("user", "display_name") != "lena" {
			s.Errorf("added as %s", r.body)
		}
		s.account("subject-s", "two words")
		s.visitor(s.provider).around(toLogin, "two words").refused(403, "forbidden")
		// Two browsers at once make one person.
		s.account("subject-b", "bob")
		replies := make([]*reply, 4)
		var all sync.WaitGroup
		for i := range replies {
			all.Go(func() { replies[i] = s.visitor(s.provider).around(toLogin, "bob") })
		}
		all.Wait()
		for _, r := range replies {
			r.want(200)
		}
		if n := s.number("SELECT count(*) FROM users"); n != 3 {
			s.Errorf("%d people", n)
		}
	})
}

// TestFederatedEmail: an address is a name only if the provider has verified it.
// Security: S40
func TestFederatedEmail(t *testing.T) {
	onEach(t, federated(signUp, func(f *services.FederationSettings) { f.UsernameClaim = "email" }), func(s *site) {
		s.account("subject-a", "anna")
		s.visitor(s.provider).around(toLogin, "anna").refused(403, "forbidden")
		s.provider.Put(testoidc.User{Subject: "subject-a", Username: "anna", Password: atTheProvider, Email: "anna@example.org", EmailVerified: true})
		r := s.visitor(s.provider).around(toLogin, "anna").want(200)
		if r.text("user", "username") != "anna@example.org" || r.text("user", "display_name") != "anna@example.org" {
			s.Errorf("signed in as %s", r.body)
		}
	})
}

// TestFederatedEmailElsewhere: that the ID token calls some address verified does not verify the one that is told elsewhere.
// Security: S40
func TestFederatedEmailElsewhere(t *testing.T) {
	onEach(t, func(set *settings) {
		federated(signUp, func(f *services.FederationSettings) { f.UsernameClaim = "email" })(set)
		set.thinTokens = true
	}, func(s *site) {
		s.provider.Put(testoidc.User{Subject: "subject-a", Username: "anna", Password: atTheProvider, Email: "boss@example.org"})
		s.provider.Reissue(func(claims map[string]any) string {
			claims["email_verified"] = true
			return signedBy(s, s.provider, claims)
		})
		s.visitor(s.provider).around(toLogin, "anna").refused(403, "forbidden")
	})
}

// TestFederatedDisabled: being disabled here counts, whatever the provider says.
// Security: S11
func TestFederatedDisabled(t *testing.T) {
	onEach(t, federated(signUp), func(s *site) {
		s.addUser("anna", models.RoleUser)
		s.addUser("bob", models.RoleUser)
		s.account("subject-a", "anna")
		s.account("subject-b", "bob")
		v := s.visitor(s.provider)
		v.around(toLogin, "anna").want(200)
		s.exec("UPDATE users SET disabled_at = 1")
		s.visitor(s.provider).around(toLogin, "anna").refused(403, "forbidden")
		s.visitor(s.provider).around(toLogin, "bob").refused(403, "forbidden")
		if n := s.number("SELECT count(*) FROM identities"); n != 1 {
			s.Errorf("%d identities", n)
		}
	})
}

// TestFederatedUnlink: who has a new account at the provider is bound to it once an admin has said so.
func TestFederatedUnlink(t *testing.T) {
	onEach(t, federated(), func(s *site) {
		s.addUser("anna", models.RoleUser)
		s.addUser("root", models.RoleAdmin)
		s.account("subject-old", "anna")
		v := s.visitor(s.provider)
		v.around(toLogin, "anna").want(200)
		byPassword, root := s.login("anna"), s.login("root")
		s.account("subject-old", "anna.before")
		s.account("subject-new", "anna")
		fresh := s.visitor(s.provider)
		fresh.around(toLogin, "anna").refused(403, "forbidden")
		byPassword.do(http.MethodDelete, "/api/v1/users/anna/identity", nil).refused(403, "forbidden")
		root.do(http.MethodDelete, "/api/v1/users/nobody/identity", nil).refused(404, "not_found")
		root.do(http.MethodDelete, "/api/v1/users/Anna/identity", nil).want(204)
		if got := v.get("/api/v1/session").refused(401, "unauthenticated").text("reason"); got != "admin" {
			s.Errorf("what began there ended by %q", got)
		}
		byPassword.get("/api/v1/session").want(200)
		s.visitor(s.provider).around(toLogin, "anna.before").refused(403, "forbidden")
		fresh.around(toLogin, "anna").want(200)
		if n := s.number("SELECT count(*) FROM audit WHERE action = 'identity.unlinked' AND username = 'anna' AND actor_name = 'root'"); n != 1 {
			s.Errorf("%d in the record", n)
		}
	})
}

// TestProofForHowSomebodySignsIn: a page that was left open is no way to a password that its finder knows, be it the admin's
// own, nor to another identity, nor does it end somebody's sessions, or delete them.
// Security: S12
func TestProofForHowSomebodySignsIn(t *testing.T) {
	onEach(t, federated(), func(s *site) {
		s.addUser("anna", models.RoleUser)
		s.addUser("root", models.RoleAdmin)
		s.account("subject-a", "anna")
		v := s.visitor(s.provider)
		v.around(toLogin, "anna").want(200)
		root := s.login("root")
		s.age("proved_at", root.id, models.ReauthenticationWindow)
		for _, name := range []string{"root", "anna"} {
			root.do(http.MethodPatch, "/api/v1/users/"+name, map[string]any{"password": "a new " + password}).refused(403, "reauthentication_required")
		}
		root.do(http.MethodDelete, "/api/v1/users/anna/identity", nil).refused(403, "reauthentication_required")
		root.do(http.MethodDelete, "/api/v1/users/anna/sessions", nil).refused(403, "reauthentication_required")
		root.do(http.MethodDelete, "/api/v1/users/anna", nil).refused(403, "reauthentication_required")
		v.get("/api/v1/session").want(200)
		root.do(http.MethodPatch, "/api/v1/users/anna", map[string]any{"display_name": "Anna"}).want(200)
		root.post("/api/v1/session/reauthenticate", secret(password)).want(204)
		root.do(http.MethodDelete, "/api/v1/users/anna/identity", nil).want(204)
		root.do(http.MethodPatch, "/api/v1/users/anna", map[string]any{"password": "a new " + password}).want(200)
		s.bearer(s.addKey(models.ScopeUsersWrite)).do(http.MethodPatch, "/api/v1/users/anna", map[string]any{"password": password}).want(200)
		root.do(http.MethodDelete, "/api/v1/users/anna", nil).want(204)
	})
}
