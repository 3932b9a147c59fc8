package handlers_test

import (
	"crypto/sha256"
	"encoding/hex"
	"testing"

	"belfry/models"
)

// TestPasswordIsNoDigest: what is kept of a request with a password lets nobody try passwords out, and tells repeats apart.
func TestPasswordIsNoDigest(t *testing.T) {
	onEach(t, nil, func(s *site) {
		s.addUser("root", models.RoleAdmin)
		admin := s.login("root").with("Idempotency-Key", "a-key")
		body := `{"username":"bert","password":"correct horse"}`
		admin.post("/api/v1/users", []byte(body)).want(201)
		if r := admin.post("/api/v1/users", []byte(body)).want(201); r.header.Get("Idempotency-Replayed") != "true" {
			s.Errorf("%v", r.header)
		}
		admin.post("/api/v1/users", []byte(`{"username":"bert","password":"correct house"}`)).refused(422, "idempotency_mismatch")
		plain := sha256.Sum256([]byte("POST /users\n" + body))
		if n := s.number("SELECT count(*) FROM idempotency_keys"); n != 1 {
			s.Errorf("%d keys are kept, want 1", n)
		}
		if n := s.number("SELECT count(*) FROM idempotency_keys WHERE key LIKE '%a-key%' OR digest = ?", hex.EncodeToString(plain[:])); n != 0 {
			s.Error("a key, or a plain digest, is kept")
		}
	})
}
