package handlers_test

import (
	"testing"

	"belfry/models"
)

// TestYears: RFC 3339 has four digits for a year. A time that has five in UTC is refused where it would be stored, or whoever
// reads it would find no time, and nothing else of the list either. So is one that is over.
func TestYears(t *testing.T) {
	onEach(t, nil, func(s *site) {
		s.addUser("root", models.RoleAdmin)
		root := s.login("root")
		notice := func(expires string) *reply {
			return root.post("/api/v1/notices", map[string]any{"to": map[string]any{"users": []string{"root"}}, "title": "x", "expires_at": expires})
		}
		key := func(expires string) *reply {
			return root.post("/api/v1/keys", map[string]any{"name": "k", "scopes": []string{"notices:write"}, "expires_at": expires})
		}
		for _, wrong := range []string{"9999-12-31T23:59:59-00:01", "9999-12-31T00:00:00-24:00", "2020-01-01T00:00:00Z",
			"2099-01-01T0:00:00Z", "2099-01-01T00:00:00,5Z"} {
			for _, r := range []*reply{notice(wrong), key(wrong)} {
				r.refused(422, "invalid")
			}
		}
		const last = "9999-12-31T23:59:59.999Z"
		notice(last).want(201)
		key(last).want(201)
		for _, path := range []string{"/api/v1/notices", "/api/v1/notices/sent"} {
			if list := root.get(path).want(200).items(); len(list) != 1 || list[0]["expires_at"] != last {
				s.Errorf("%s: %v", path, list)
			}
		}
		root.get("/api/v1/keys").want(200)
	})
}
