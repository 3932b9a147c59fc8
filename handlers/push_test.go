package handlers_test

import (
	"crypto/ecdh"
	"crypto/rand"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	"belfry/models"
)

const endpoint = "https://push.example.org/send/a-capability"

// pushBody makes what a browser subscribes with, each time anew and the same.
func pushBody(t *testing.T) func() map[string]any {
	secret, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return func() map[string]any {
		return map[string]any{"endpoint": endpoint, "expirationTime": nil, "keys": map[string]any{
			"p256dh": base64.RawURLEncoding.EncodeToString(secret.PublicKey().Bytes()), "auth": base64.RawURLEncoding.EncodeToString(make([]byte, 16))}}
	}
}

// TestPushSubscriptionIsKept: under an Idempotency-Key the same subscription gets the same answer, and another is refused; once it
// is gone it is not said that it was made.
func TestPushSubscriptionIsKept(t *testing.T) {
	onEach(t, nil, func(s *site) {
		s.addUser("anna", models.RoleUser)
		c := s.login("anna")
		keyed, body := c.with("Idempotency-Key", "this browser"), pushBody(t)
		first := keyed.post("/api/v1/push/subscriptions", body()).want(201)
		again := keyed.post("/api/v1/push/subscriptions", body()).want(201)
		if string(first.body) != string(again.body) || first.header.Get("Idempotency-Replayed") != "" || again.header.Get("Idempotency-Replayed") != "true" {
			t.Errorf("first %v %s, again %v %s", first.header, first.body, again.header, again.body)
		}
		keyed.post("/api/v1/push/subscriptions", pushBody(t)()).refused(422, "idempotency_mismatch")
		c.do(http.MethodDelete, "/api/v1/push/subscriptions", map[string]any{"endpoint": endpoint}).want(204)
		keyed.post("/api/v1/push/subscriptions", body()).refused(409, "conflict")
		c.post("/api/v1/push/subscriptions", body()).want(201)
	})
}

// TestPushSubscriptions: a browser subscribes with what its PushSubscription.toJSON() gives, for as long as the session lasts.
//
// Security: S46
func TestPushSubscriptions(t *testing.T) {
	onEach(t, nil, func(s *site) {
		s.addUser("anna", models.RoleUser)
		c := s.login("anna")
		key := c.get("/api/v1/push/key").want(200).text("key")
		if point, err := base64.RawURLEncoding.DecodeString(key); err != nil {
			t.Error(err)
		} else if _, err := ecdh.P256().NewPublicKey(point); err != nil {
			t.Error(err)
		}
		body := pushBody(t)
		if got := c.post("/api/v1/push/subscriptions", body()).want(201).text("endpoint"); got != endpoint {
			t.Error(got)
		}
		again := body()
		again["expirationTime"] = 1.7e12
		c.post("/api/v1/push/subscriptions", again).want(201)
		for field, change := range map[string]func(map[string]any){
			"endpoint":         func(b map[string]any) { b["endpoint"] = "https://metadata.example/latest" },
			"keys.p256dh":      func(b map[string]any) { b["keys"].(map[string]any)["p256dh"] = "AAAA" },
			"keys.auth":        func(b map[string]any) { b["keys"].(map[string]any)["auth"] = "AAAA" },
			"keys.more":        func(b map[string]any) { b["keys"].(map[string]any)["more"] = 1 },
			"contentEncodings": func(b map[string]any) { b["contentEncodings"] = []string{} },
		} {
			wrong := body()
			change(wrong)
			r := c.post("/api/v1/push/subscriptions", wrong).refused(422, "invalid")
			if got := r.fields(); len(got) != 1 || got[0] != field || strings.Contains(string(r.body), "metadata") {
				t.Errorf("%s: %s", field, r.body)
			}
		}
		if strings.Contains(s.log.String(), "a-capability") {
			t.Error("the endpoint is logged")
		}
		count := func() int { return strings.Count(strings.Join(s.dump(), "\n"), "a-capability") }
		if count() != 1 {
			t.Fatal("it is not stored once")
		}
		s.addUser("bob", models.RoleUser)
		bob := s.login("bob")
		bob.do(http.MethodDelete, "/api/v1/push/subscriptions", map[string]any{"endpoint": endpoint}).want(204) // it is not his, and he does not learn whose
		if count() != 1 {
			t.Error("somebody else took it away")
		}
		for range 2 {
			c.do(http.MethodDelete, "/api/v1/push/subscriptions", map[string]any{"endpoint": endpoint}).want(204)
		}
		if count() != 0 {
			t.Error("it is still there")
		}
		c.post("/api/v1/push/subscriptions", body()).want(201)
		s.age("created_at", c.id, 13*time.Hour)
		c.get("/api/v1/session").want(401)
		if count() != 0 {
			t.Error("the session has ended, and it is still there")
		}
	})
}
