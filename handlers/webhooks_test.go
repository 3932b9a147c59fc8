package handlers_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"belfry/models"
)

// TestWebhooks: an admin adds, sees and removes them; the secret is shown once, and lies sealed.
func TestWebhooks(t *testing.T) {
	onEach(t, nil, func(s *site) {
		s.addUser("root", models.RoleAdmin)
		c := s.login("root")
		const address = "https://app.example/hooks?of=belfry"
		r := c.post("/api/v1/webhooks", map[string]any{"url": address}).want(201)
		id, secret := r.int("id"), r.text("secret")
		if !strings.HasPrefix(secret, "whsec_") {
			t.Errorf("%s", r.body)
		}
		few := c.post("/api/v1/webhooks", map[string]any{"url": address, "events": []string{"session.ended", "session.locked"}}).want(201)
		list := c.get("/api/v1/webhooks").want(200)
		items := list.items()
		if len(items) != 2 || items[0]["id"] != float64(id) || items[0]["url"] != address || len(items[0]["events"].([]any)) != 4 || len(items[1]["events"].([]any)) != 2 {
			t.Fatalf("%s", list.body)
		}
		for _, name := range []string{"last_delivery_at", "last_status", "failing_since", "disabled_at"} {
			if value, there := items[0][name]; !there || value != nil {
				t.Errorf("%s: %v", name, value)
			}
		}
		if _, shown := items[0]["secret"]; shown || strings.Contains(string(list.body), "whsec_") {
			t.Errorf("the secret is shown again")
		}
		for _, text := range []string{strings.Join(s.dump(), "\n"), s.log.String()} {
			if strings.Contains(text, strings.TrimPrefix(secret, "whsec_")) || strings.Contains(text, strings.TrimPrefix(few.text("secret"), "whsec_")) {
				t.Error("the secret lies in the database or the log")
			}
		}
		once := c.with("Idempotency-Key", "hook-1")
		first := once.post("/api/v1/webhooks", map[string]any{"url": address}).want(201)
		again := once.post("/api/v1/webhooks", map[string]any{"url": address}).want(201)
		if string(first.body) != string(again.body) || again.header.Get("Idempotency-Replayed") != "true" {
			t.Errorf("%s, then %s", first.body, again.body)
		}
		once.post("/api/v1/webhooks", map[string]any{"url": address + "2"}).refused(422, "idempotency_mismatch")
		for body, field := range map[string]string{`{"url":"ftp://x"}`: "url", `{"url":1}`: "url", `{"url":"http://x","events":[]}`: "events",
			`{"url":"http://x","events":["x"]}`: "events", `{"url":"http://x","secret":"x"}`: "secret"} {
			if got := c.post("/api/v1/webhooks", body).refused(422, "invalid").fields(); len(got) != 1 || got[0] != field {
				t.Errorf("%s: %v", body, got)
			}
		}
		path := "/api/v1/webhooks/" + strconv.FormatInt(id, 10)
		c.do(http.MethodDelete, path, nil).want(204)
		c.do(http.MethodDelete, path, nil).refused(404, "not_found")
		if got := len(c.get("/api/v1/webhooks").want(200).items()); got != 2 {
			t.Errorf("%d are left", got)
		}
		// Both need a proof of a moment ago.
		s.age("proved_at", c.id, 6*time.Minute)
		c.post("/api/v1/webhooks", map[string]any{"url": address}).refused(403, "reauthentication_required")
		c.do(http.MethodDelete, "/api/v1/webhooks/"+strconv.FormatInt(few.int("id"), 10), nil).refused(403, "reauthentication_required")
		c.get("/api/v1/webhooks").want(200)
	})
}
