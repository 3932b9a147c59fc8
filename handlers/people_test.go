package handlers_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"belfry/models"
)

// TestUsers makes, lists, changes and removes people.
func TestUsers(t *testing.T) {
	onEach(t, nil, func(s *site) {
		s.addUser("root", models.RoleAdmin)
		c := s.login("root")
		made := c.post("/api/v1/users", map[string]any{"username": "Anna", "display_name": "Anna 老", "password": password}).want(201)
		if made.text("username") != "Anna" || made.text("display_name") != "Anna 老" || made.text("role") != "user" || made.at("disabled") != false || strings.Contains(string(made.body), password) {
			s.Errorf("%s", made.body)
		}
		instant(s.TB, made.text("created_at"))
		c.post("/api/v1/users", map[string]any{"username": "aNNA", "password": password}).refused(409, "conflict")
		for field, body := range map[string]map[string]any{
			"username":     {"username": "a b", "password": password},
			"password":     {"username": "carl", "password": "short"},
			"role":         {"username": "carl", "password": password, "role": "root"},
			"display_name": {"username": "carl", "password": password, "display_name": strings.Repeat("x", 101)},
		} {
			if f := c.post("/api/v1/users", body).refused(422, "invalid").fields(); !slices.Equal(f, []string{field}) {
				s.Errorf("fields %q, want %s", f, field)
			}
		}
		if got := c.get("/api/v1/users/anna").want(200); string(got.body) != string(made.body) {
			s.Errorf("%s, was made as %s", got.body, made.body)
		}
		anna := s.login("anna")
		if r := c.do(http.MethodPatch, "/api/v1/users/anna", map[string]any{"role": "admin"}).want(200); r.text("role") != "admin" {
			s.Errorf("%s", r.body)
		}
		anna.get("/api/v1/users").want(200) // the row decides, at once
		c.do(http.MethodPatch, "/api/v1/users/anna", map[string]any{"role": "user"}).want(200)
		anna.get("/api/v1/users").refused(403, "forbidden")
		c.do(http.MethodPatch, "/api/v1/users/anna", map[string]any{"disabled": true}).want(200)
		if got := anna.get("/api/v1/session").refused(401, "unauthenticated").text("reason"); got != "disabled" {
			s.Errorf("reason %q", got)
		}
		c.do(http.MethodPatch, "/api/v1/users/anna", map[string]any{"disabled": false, "password": "a new " + password}).want(200)
		s.nobody().post("/api/v1/login", map[string]any{"username": "anna", "password": "a new " + password}).want(200)
		c.do(http.MethodPatch, "/api/v1/users/anna", map[string]any{"username": "ROOT"}).refused(409, "conflict")
		if r := c.do(http.MethodPatch, "/api/v1/users/anna", map[string]any{"username": "anja"}).want(200); r.text("username") != "anja" || r.text("display_name") != "Anna 老" {
			s.Errorf("%s", r.body)
		}
		c.do(http.MethodPatch, "/api/v1/users/anja", map[string]any{"username": "anna"}).want(200)
		c.do(http.MethodDelete, "/api/v1/users/anna", nil).want(204)
		c.do(http.MethodDelete, "/api/v1/users/root", nil).refused(409, "conflict")
		c.get("/api/v1/users/anna").refused(404, "not_found")
		c.do(http.MethodDelete, "/api/v1/users/anna", nil).refused(404, "not_found")
		c.do(http.MethodPatch, "/api/v1/users/anna", map[string]any{"disabled": false}).refused(404, "not_found")
		anna.get("/api/v1/session").refused(401, "unauthenticated")
	})
}

// TestPutUser says by its status whether somebody was added, and with dry_run does nothing.
func TestPutUser(t *testing.T) {
	onEach(t, nil, func(s *site) {
		c := s.bearer(s.addKey(models.ScopeUsersWrite))
		c.post("/api/v1/groups", map[string]any{"name": "ops"}).want(201)
		s.addUser("root", models.RoleAdmin)
		put := func(query string, body map[string]any) *reply {
			return c.do(http.MethodPut, "/api/v1/users/Anna"+query, body)
		}
		is := func(r *reply, want string, changes ...any) {
			t.Helper()
			if r.text("result") != want || !slices.Equal(r.at("changes").([]any), changes) || r.at("user").(map[string]any)["username"] != "Anna" {
				s.Errorf("%s, want %s %v", r.body, want, changes)
			}
		}
		body := map[string]any{"display_name": "Anna 老", "role": "admin", "groups": []string{"ops"}}
		is(put("?dry_run=true", body).want(200), "added", "groups")
		c.get("/api/v1/users/anna").refused(404, "not_found")
		is(put("", body).want(201), "added", "groups")
		if r := c.get("/api/v1/users/anna").want(200); r.at("has_password") != false || r.text("role") != "admin" || r.text("display_name") != "Anna 老" {
			s.Errorf("%s", r.body)
		}
		is(put("", body).want(200), "unchanged")
		is(put("", map[string]any{"disabled": true, "role": "user"}).want(200), "changed", "role", "disabled")
		if f := put("", map[string]any{"groups": []string{"none"}}).refused(422, "invalid").fields(); !slices.Equal(f, []string{"groups"}) {
			s.Errorf("fields %q", f)
		}
		put("", map[string]any{"password": password}).refused(422, "invalid")
		put("?dry_run=perhaps", body).refused(422, "invalid")
		c.do(http.MethodPut, "/api/v1/users/a%20b", map[string]any{}).refused(422, "invalid")
	})
}

// TestUserPages lists people by name, whatever their case.
func TestUserPages(t *testing.T) {
	onEach(t, nil, func(s *site) {
		want := []string{"a1", "B1", "b2", "c1", "root"}
		for _, name := range want[:4] {
			s.addUser(name, models.RoleUser)
		}
		s.addUser("root", models.RoleAdmin)
		c := s.login("root")
		var got []string
		before := ""
		for {
			r := c.get("/api/v1/users?limit=2" + before).want(200)
			for _, item := range r.items() {
				got = append(got, item["username"].(string))
			}
			next := r.at("next_before")
			if next == nil {
				break
			}
			before = "&before=" + next.(string)
		}
		if !slices.Equal(got, want) {
			s.Errorf("%q, want %q", got, want)
		}
	})
}

// TestGroups makes, fills and removes groups.
func TestGroups(t *testing.T) {
	onEach(t, nil, func(s *site) {
		s.addUser("Anna", models.RoleUser)
		c := s.bearer(s.addKey(models.ScopeUsersWrite))
		made := c.post("/api/v1/groups", map[string]any{"name": "Team"}).want(201)
		if made.text("name") != "Team" || made.text("display_name") != "Team" || len(made.at("members").([]any)) != 0 {
			s.Errorf("%s", made.body)
		}
		c.post("/api/v1/groups", map[string]any{"name": "team"}).refused(409, "conflict")
		c.post("/api/v1/groups", map[string]any{"name": "no spaces"}).refused(422, "invalid")
		for range 2 {
			r := c.do(http.MethodPut, "/api/v1/groups/TEAM/members/anna", nil).want(200)
			if members := r.at("members").([]any); len(members) != 1 || members[0] != "Anna" {
				s.Errorf("%s", r.body)
			}
		}
		c.do(http.MethodPut, "/api/v1/groups/team/members/nobody", nil).refused(404, "not_found")
		c.do(http.MethodPut, "/api/v1/groups/none/members/anna", nil).refused(404, "not_found")
		c.do(http.MethodDelete, "/api/v1/groups/none/members/anna", nil).refused(404, "not_found")
		if r := c.do(http.MethodPatch, "/api/v1/groups/team", map[string]any{"display_name": "The team"}).want(200); r.text("display_name") != "The team" {
			s.Errorf("%s", r.body)
		}
		patch := func(body map[string]any) *reply { return c.do(http.MethodPatch, "/api/v1/groups/team", body) }
		if r := patch(map[string]any{"disabled": true}).want(200); r.at("disabled") != true || r.text("name") != "Team" {
			s.Errorf("%s", r.body)
		}
		patch(map[string]any{"disabled": false, "name": "crew"}).want(200)
		patch(map[string]any{}).refused(404, "not_found")
		c.post("/api/v1/groups", map[string]any{"name": "Team"}).want(201)
		patch(map[string]any{"name": "CREW"}).refused(409, "conflict")
		patch(map[string]any{"name": "a b"}).refused(422, "invalid")
		c.do(http.MethodDelete, "/api/v1/groups/team", nil).want(204)
		if r := c.do(http.MethodPatch, "/api/v1/groups/crew", map[string]any{"name": "team"}).want(200); r.text("name") != "team" || len(r.at("members").([]any)) != 1 || r.text("display_name") != "The team" {
			s.Errorf("%s", r.body)
		}
		if r := c.get("/api/v1/groups").want(200); len(r.items()) != 1 || r.at("next_before") != nil {
			s.Errorf("%s", r.body)
		}
		c.do(http.MethodDelete, "/api/v1/groups/team/members/anna", nil).want(204)
		c.do(http.MethodDelete, "/api/v1/groups/team", nil).want(204)
		c.get("/api/v1/groups/team").refused(404, "not_found")
		c.do(http.MethodPatch, "/api/v1/groups/team", map[string]any{"display_name": "x"}).refused(404, "not_found")
	})
}

// TestKeys makes keys, and shows each secret once.
//
// Security: S28
func TestKeys(t *testing.T) {
	onEach(t, nil, func(s *site) {
		s.addUser("root", models.RoleAdmin)
		c := s.login("root")
		made := c.post("/api/v1/keys", map[string]any{"name": "CI", "scopes": []string{"notices:write", "notices:write", "users:write"}}).want(201)
		secret := made.text("key")
		if !strings.HasPrefix(secret, "bfk_") || len(secret) < 40 || len(made.at("scopes").([]any)) != 2 || made.at("expires_at") != nil {
			s.Errorf("%s", made.body)
		}
		if list := c.get("/api/v1/keys").want(200); len(list.items()) != 1 || strings.Contains(string(list.body), "bfk_") {
			s.Errorf("%s", list.body)
		}
		if n := s.number("SELECT count(*) FROM api_keys WHERE CAST(hash AS TEXT) LIKE '%bfk_%'"); n != 0 {
			s.Error("the secret itself is kept")
		}
		key := s.bearer(secret)
		key.get("/api/v1/users").want(200)
		key.post("/api/v1/keys", map[string]any{"name": "x", "scopes": []string{"notices:write"}}).want(201)
		key.post("/api/v1/keys", map[string]any{"name": "x", "scopes": []string{"notices:write", "tasks:write"}}).refused(403, "forbidden")
		for _, body := range []map[string]any{{"name": "x", "scopes": []string{}}, {"name": "x"}, {"name": "", "scopes": []string{"users:write"}}, {"name": "x", "scopes": []string{"all"}},
			{"name": "x", "scopes": []string{"users:write"}, "expires_at": "soon"}} {
			c.post("/api/v1/keys", body).refused(422, "invalid")
		}
		short := s.bearer(c.post("/api/v1/keys", map[string]any{"name": "x", "scopes": []string{"users:write"}, "expires_at": "2100-01-01T00:00:00Z"}).want(201).text("key"))
		short.get("/api/v1/users").want(200)
		s.exec("UPDATE api_keys SET expires_at = 1 WHERE expires_at IS NOT NULL")
		short.get("/api/v1/users").refused(401, "unauthenticated")
		c.do(http.MethodDelete, "/api/v1/keys/"+itoa(made.int("id")), nil).want(204)
		c.do(http.MethodDelete, "/api/v1/keys/"+itoa(made.int("id")), nil).refused(404, "not_found")
		key.get("/api/v1/users").refused(401, "unauthenticated")
	})
}
