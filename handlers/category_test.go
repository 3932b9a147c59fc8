package handlers_test

import (
	"strings"
	"testing"

	"belfry/models"
	"belfry/services"
)

// TestCategoryOfAKey: what a notice says of itself goes before what its key says.
func TestCategoryOfAKey(t *testing.T) {
	onEach(t, withPeers, func(s *site) {
		s.addUser("anna", models.RoleUser)
		s.addUser("root", models.RoleAdmin)
		anna, root := s.login("anna"), s.login("root")
		spec := map[string]any{"name": "backup", "scopes": []string{"notices:write"}, "category": "storage", "to": map[string]any{"users": []string{"anna"}}}
		made := root.post("/api/v1/keys", spec).want(201)
		if made.text("category") != "storage" || root.get("/api/v1/keys").want(200).items()[0]["category"] != "storage" {
			s.Errorf("%s", made.body)
		}
		spec["category"] = strings.Repeat("老", 65)
		if f := root.post("/api/v1/keys", spec).refused(422, "invalid").fields(); len(f) != 1 || f[0] != "category" {
			s.Errorf("fields %q", f)
		}
		key := s.bearer(made.text("key"))
		to := map[string]any{"users": []string{"anna"}}
		notice := func(members ...any) map[string]any {
			n := map[string]any{"to": to, "title": "x"}
			for i := 0; i < len(members); i += 2 {
				n[members[i].(string)] = members[i+1]
			}
			return n
		}
		newest := func(what string, want any) {
			t.Helper()
			is(s, what, anna.newest(), map[string]any{"category": want})
		}
		key.post("/api/v1/notices", notice()).want(201)
		newest("nothing said", "storage")
		key.post("/api/v1/notices", notice("category", nil)).want(201)
		newest("null", "storage")
		key.post("/api/v1/notices", notice("category", "disk")).want(201)
		newest("its own", "disk")
		key.batch(`{"to":{"users":["anna"]},"title":"x"}`).want(200)
		newest("in a batch", "storage")
		if found := anna.get("/api/v1/notices?category=storage").want(200).items(); len(found) != 3 {
			s.Errorf("%d found by the key's category", len(found))
		}
		s.nobody().with("X-Gotify-Key", made.text("key")).post("/message", map[string]any{"message": "m"}).want(200)
		newest("by Gotify", "storage")
		key.post("/api/v1/hooks/alertmanager", map[string]any{"alerts": []any{map[string]any{"status": "firing"}}}).want(200)
		newest("by a preset", "storage")

		root.post("/api/v1/notices", notice()).want(201)
		newest("by a person", nil)
		s.bearer(s.addKey(models.ScopeNoticesWrite)).post("/api/v1/notices", notice()).want(201)
		newest("by a key that says nothing", nil)
		_, secret, err := s.server.Keys.Create(s.Context(), services.KeySpec{Name: strings.Repeat("n", 70), Scopes: []models.Scope{models.ScopeNoticesWrite}, To: models.Target{Users: []string{"anna"}}})
		if err != nil {
			s.Fatal(err)
		}
		s.nobody().with("X-Gotify-Key", secret).post("/message", map[string]any{"message": "m"}).want(200)
		newest("by Gotify, the application", strings.Repeat("n", 63)+"…")
	})
}
