package handlers_test

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"belfry/models"
)

// TestAllSessions lets an admin see everybody's sessions, in pages and by whose they are, and lock or end one of them.
//
// Security: S12
func TestAllSessions(t *testing.T) {
	onEach(t, nil, func(s *site) {
		s.addUser("root", models.RoleAdmin)
		for _, name := range []string{"anna", "b_b", "bob"} {
			s.addUser(name, models.RoleUser)
		}
		root, anna, odd, bob := s.login("root"), s.login("anna"), s.login("b_b"), s.login("bob")
		gone, old := s.login("bob"), s.login("anna")
		gone.post("/api/v1/logout", nil).want(204)
		s.age("created_at", old.id, 24*time.Hour) // nobody has noticed yet that its time is over

		list := func(query string) (ids []string) {
			for before := ""; ; {
				r := root.get("/api/v1/everyone/sessions?limit=2&q=" + query + before).want(200)
				for _, item := range r.items() {
					ids = append(ids, item["id"].(string))
				}
				next := r.at("next_before")
				if next == nil {
					slices.Sort(ids)
					return ids
				}
				before = "&before=" + next.(string)
			}
		}
		for query, want := range map[string][]string{"": {root.id, anna.id, odd.id, bob.id}, "AN": {anna.id}, "_": {odd.id}, "nobody": nil} {
			slices.Sort(want)
			if got := list(query); !slices.Equal(got, want) {
				s.Errorf("%q: %v, want %v", query, got, want)
			}
		}

		for range 2 {
			r := root.post("/api/v1/everyone/sessions/"+bob.id+"/lock", nil).want(200)
			if r.text("state") != "locked" || r.text("reason") != "admin" || r.at("current") != false {
				s.Errorf("locked: %s", r.body)
			}
		}
		bob.get("/api/v1/notices").refused(423, "locked")
		anna.get("/api/v1/notices").want(200)

		s.age("proved_at", root.id, models.ReauthenticationWindow)
		root.do(http.MethodDelete, "/api/v1/everyone/sessions/"+bob.id, nil).refused(403, "reauthentication_required")
		root.post("/api/v1/session/reauthenticate", secret(password)).want(204)
		root.do(http.MethodDelete, "/api/v1/everyone/sessions/"+bob.id, nil).want(204)
		if got := bob.get("/api/v1/session").refused(401, "unauthenticated").text("reason"); got != "admin" {
			s.Errorf("reason %q", got)
		}
		for _, id := range []string{bob.id, gone.id, "nothing"} {
			root.post("/api/v1/everyone/sessions/"+id+"/lock", nil).refused(404, "not_found")
			root.do(http.MethodDelete, "/api/v1/everyone/sessions/"+id, nil).refused(404, "not_found")
		}
		anna.get("/api/v1/notices").want(200)
	})
}

// TestUsersAreFound narrows the list of people to a part of a name.
func TestUsersAreFound(t *testing.T) {
	onEach(t, nil, func(s *site) {
		s.addUser("root", models.RoleAdmin)
		c := s.login("root")
		for name, shown := range map[string]string{"anna": "Anna Keller", "bob": "Bob Ng", "c_c": "50%"} {
			c.post("/api/v1/users", map[string]any{"username": name, "display_name": shown, "password": password}).want(201)
		}
		for query, want := range map[string][]string{"NN": {"anna"}, "ng": {"bob"}, "%25": {"c_c"}, "_": {"c_c"}, "o": {"bob", "root"}, "zz": {}} {
			got := []string{}
			for _, item := range c.get("/api/v1/users?q=" + query).want(200).items() {
				got = append(got, item["username"].(string))
			}
			if !slices.Equal(got, want) {
				s.Errorf("%q: %q, want %q", query, got, want)
			}
		}
	})
}
