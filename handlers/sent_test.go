package handlers_test

import (
	"net/http"
	"testing"

	"belfry/models"
)

// TestSentOverHTTP: what was sent comes back with whom it was for, is paged, read, and withdrawn.
func TestSentOverHTTP(t *testing.T) {
	onEach(t, nil, func(s *site) {
		s.addUser("anna", models.RoleUser)
		s.addUser("bob", models.RoleUser)
		anna, bob := s.login("anna"), s.login("bob")
		key := s.bearer(s.addKey(models.ScopeNoticesWrite))
		var ids []int64
		for _, by := range []*client{bob, bob, bob, key} {
			ids = append(ids, by.post("/api/v1/notices", map[string]any{"to": map[string]any{"users": []string{"ANNA"}}, "title": "T", "data": map[string]any{"n": 1}}).want(201).int("id"))
		}
		page := bob.get("/api/v1/notices/sent?limit=2").want(200)
		rest := bob.get("/api/v1/notices/sent?limit=2&before=" + page.text("next_before")).want(200)
		all := append(page.items(), rest.items()...)
		if len(all) != 3 || rest.at("next_before") != nil {
			s.Fatalf("%s %s", page.body, rest.body)
		}
		for i, item := range all {
			if item["id"] != float64(ids[2-i]) || item["deliver_at"] != nil || item["withdrawn_at"] != nil || item["recipients"] != 1.0 || item["reads"] != 0.0 || len(item) != 19 {
				s.Errorf("item %d: %v", i, item)
			}
			if to := item["to"].(map[string]any); to["users"].([]any)[0] != "anna" || len(to["groups"].([]any)) != 0 || to["everyone"] != false {
				s.Errorf("to %v", to)
			}
		}
		if list := key.get("/api/v1/notices/sent").want(200).items(); len(list) != 1 || list[0]["id"] != float64(ids[3]) {
			s.Errorf("the key sent %v", list)
		}
		if list := anna.get("/api/v1/notices/sent").want(200).items(); len(list) != 0 {
			s.Errorf("anna sent %v", list)
		}
		path := "/api/v1/notices/" + itoa(ids[0])
		anna.do(http.MethodPatch, path, map[string]any{"read": true}).want(200)
		r := bob.get(path + "/receipts").want(200)
		if list := r.items(); len(list) != 1 || list[0]["username"] != "anna" || list[0]["display_name"] != "The anna" || r.at("next_before") != nil || len(list[0]) != 3 {
			s.Errorf("%s", r.body)
		}
		for range 2 {
			bob.do(http.MethodDelete, path, nil).want(204)
		}
		anna.get(path).refused(404, "not_found")
		anna.do(http.MethodDelete, path, nil).refused(404, "not_found")
		key.do(http.MethodDelete, path, nil).refused(404, "not_found")
		if item := bob.get("/api/v1/notices/sent").want(200).items()[2]; item["withdrawn_at"] == nil || item["reads"] != 1.0 {
			s.Errorf("%v", item)
		}
		for _, before := range []string{"x", "-1", "0", "1-", "1-x", "x-1", "1-1-1", "01-1"} {
			bob.get(path+"/receipts?before="+before).refused(422, "invalid")
			bob.get("/api/v1/notices/sent?before="+before).refused(422, "invalid")
		}
		for _, limit := range []string{"0", "201", "x"} {
			bob.get("/api/v1/notices/sent?limit="+limit).refused(422, "invalid")
			bob.get(path+"/receipts?limit="+limit).refused(422, "invalid")
		}
		if list := bob.get(path + "/receipts?before=1-1").want(200).items(); len(list) != 0 {
			s.Errorf("%v", list)
		}
	})
}
