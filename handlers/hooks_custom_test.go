package handlers_test

import (
	"fmt"
	"strings"
	"testing"

	"belfry/models"
	"belfry/services"
)

// mappingKey is a key with a mapping, made by the API. Its notices are for a group that anna is in.
func (s *site) mappingKey(mapping any) *client {
	s.Helper()
	s.addUser("root", models.RoleAdmin)
	made := s.login("root").post("/api/v1/keys", map[string]any{"name": "builds", "scopes": []string{"notices:write"}, "to": map[string]any{"groups": []string{"alerts"}}, "mapping": mapping}).want(201)
	return s.bearer(made.text("key"))
}

// TestCustom: a call of any system is read as its key's mapping says.
func TestCustom(t *testing.T) {
	onEach(t, nil, func(s *site) {
		s.peerKey()
		key := s.mappingKey(map[string]any{
			"items": "$.builds[?@.done == true]", "title": "$.job['full name']", "body": "$.log", "category": "ci", "url": "$.link", "collapse_key": "$.job.id", "idempotency_key": "$.event",
			"severity": map[string]any{"from": "$.result", "values": map[string]any{"broken": "critical", "unstable": "warning"}, "default": "success"},
		})
		anna := s.login("anna")
		build := func(event int, result string) map[string]any {
			return map[string]any{"done": true, "event": event, "result": result, "job": map[string]any{"full name": "Shop", "id": 12345678901234567}, "log": []any{"a", 1}, "link": "https://ci.example/1"}
		}
		made := key.post("/api/v1/hooks/custom", map[string]any{"builds": []any{
			build(1, "Broken"), map[string]any{"done": false},
			map[string]any{"done": true, "job": map[string]any{"full name": strings.Repeat("x", 300)}, "link": "app://x", "log": strings.Repeat("é", 9000)},
		}}).want(200)
		items := anna.get("/api/v1/notices").want(200).items()
		if len(items) != 2 || outcome(made) != "kept 0 1, refused" {
			s.Fatalf("%s: %v", made.body, items)
		}
		is(s, "first", items[1], map[string]any{"title": "Shop", "body": `["a",1]`, "severity": "critical", "category": "ci", "url": "https://ci.example/1", "collapse_key": "12345678901234567"})
		is(s, "second", items[0], map[string]any{"title": strings.Repeat("x", 199) + "…", "severity": "success", "url": nil, "collapse_key": nil, "body": strings.Repeat("é", 8190) + "…"})
		// The same event again, and the next one of the same job.
		if again := key.post("/api/v1/hooks/custom", map[string]any{"builds": []any{build(1, "Broken")}}).want(200); again.header.Get("Idempotency-Replayed") != "true" {
			s.Errorf("%s", again.body)
		}
		key.post("/api/v1/hooks/custom", map[string]any{"builds": []any{build(1, "mended")}}).refused(422, "idempotency_mismatch")
		key.post("/api/v1/hooks/custom", map[string]any{"builds": []any{build(2, "mended"), build(1, "mended")}}).want(200)
		items = anna.get("/api/v1/notices").want(200).items()
		if len(items) != 2 {
			s.Fatalf("%v", items)
		}
		is(s, "mended", items[0], map[string]any{"title": "Shop", "severity": "success"})
		// Jobs with long names that begin alike have a row each; and an event is not what was sent under the same word elsewhere.
		long := func(event int, job string) map[string]any {
			return map[string]any{"done": true, "event": event, "job": map[string]any{"full name": job, "id": strings.Repeat("界", 200) + job}}
		}
		key.with("Idempotency-Key", "77").post("/api/v1/notices", map[string]any{"title": "by itself", "to": map[string]any{"users": []string{"anna"}}}).want(201)
		key.post("/api/v1/hooks/custom", map[string]any{"builds": []any{long(76, "one"), long(77, "two"), long(78, "one")}}).want(200)
		if got := titlesOf(anna.get("/api/v1/notices").want(200).items()); got != "one two by itself Shop "+strings.Repeat("x", 199)+"…" {
			s.Errorf("the inbox has %s", got)
		}
		if r := key.post("/api/v1/hooks/custom", []any{}).want(200); outcome(r) != "kept, refused" {
			s.Errorf("%s", r.body)
		}
		for _, body := range []string{"", "{", "{} {}"} {
			key.post("/api/v1/hooks/custom", body).refused(400, "invalid")
		}
		key.post("/api/v1/hooks/custom", `{"builds":["\ud800"]}`).refused(422, "invalid")
		key.with("Content-Type", "text/plain").post("/api/v1/hooks/custom", "{}").refused(415, "unsupported_media_type")
		key.post("/api/v1/hooks/custom", `{"builds":[`+strings.Repeat(`{"done":true},`, 100)+`{"done":true}]}`).refused(413, "too_large")
	})
}

// TestCustomWhole: without items the whole call is one notice, and each call another, but under a key of its own.
func TestCustomWhole(t *testing.T) {
	onEach(t, nil, func(s *site) {
		plain := s.peerKey()
		key, anna := s.mappingKey(map[string]any{"title": "$.nothing", "body": "$"}), s.login("anna")
		own := key.with("Idempotency-Key", "k")
		for i, c := range []*client{key, key, own, own} {
			r := c.post("/api/v1/hooks/custom", `"doorbell"`).want(200)
			if replayed := r.header.Get("Idempotency-Replayed") != ""; replayed != (i == 3) {
				s.Errorf("call %d: replayed: %v", i, replayed)
			}
		}
		items := anna.get("/api/v1/notices").want(200).items()
		if len(items) != 3 {
			s.Errorf("%d notices", len(items))
		}
		is(s, "whole", items[0], map[string]any{"title": "builds", "body": "doorbell", "severity": "info", "category": nil})
		s.bearer(plain).post("/api/v1/hooks/custom", "{}").refused(422, "invalid") // which has no mapping
	})
}

// TestMappingIsStored: as it was given, where it is right; a wrong one makes no key.
func TestMappingIsStored(t *testing.T) {
	onEach(t, nil, func(s *site) {
		s.addUser("root", models.RoleAdmin)
		root := s.login("root")
		spec := func(mapping any) map[string]any {
			return map[string]any{"name": "k", "scopes": []string{"notices:write"}, "mapping": mapping}
		}
		given := map[string]any{"title": "$.a", "severity": map[string]any{"from": "$.s", "values": map[string]any{"x": "info"}}}
		if made := root.post("/api/v1/keys", spec(given)).want(201); fmt.Sprint(made.at("mapping")) != fmt.Sprint(given) || fmt.Sprint(root.get("/api/v1/keys").want(200).items()[0]["mapping"]) != fmt.Sprint(given) {
			s.Errorf("%s", made.body)
		}
		for _, wrong := range []any{map[string]any{"title": "$["}, map[string]any{"items": "$..x"}, map[string]any{"subject": "$.a"}, map[string]any{"severity": map[string]any{"values": map[string]any{}}},
			map[string]any{"severity": map[string]any{"from": "$.a", "default": "loud"}}, map[string]any{"title": strings.Repeat("x", 300)}, []any{}, "x", 7} {
			root.post("/api/v1/keys", spec(wrong)).refused(422, "invalid")
		}
		if n := s.number("SELECT count(*) FROM api_keys"); n != 1 {
			s.Errorf("%d keys", n)
		}
		if _, _, err := s.server.Keys.Create(s.Context(), services.KeySpec{Name: "k", Scopes: []models.Scope{models.ScopeTasksWrite}, Mapping: &models.Mapping{}}); models.CodeOf(err) != models.CodeInvalid {
			s.Errorf("a key that may not publish: %v", err)
		}
	})
}
