package handlers_test

import (
	"io"
	"net/http"
	"net/http/httptrace"
	"testing"

	"belfry/models"
)

// TestLockedWhileTheBodyCame: what a session asked for before its lock, and finished to say after it, is not done.
//
// Security: L2, L12
func TestLockedWhileTheBodyCame(t *testing.T) {
	onEach(t, nil, func(s *site) {
		s.addUser("anna", models.RoleAdmin)
		s.addUser("bert", models.RoleUser)
		other := s.login("anna")
		for _, c := range []struct{ method, path, body, content string }{
			{"POST", "/api/v1/notices", `{"to":{"users":["bert"]},"title":"x"}`, "application/json"},
			{"POST", "/api/v1/notices/batch", `{"to":{"users":["bert"]},"title":"x"}`, "application/x-ndjson"},
			{"POST", "/api/v1/groups", `{"name":"crew"}`, "application/json"},
		} {
			own := s.login("anna")
			id := own.get("/api/v1/session").text("id")
			body, rest := io.Pipe()
			asked := make(chan struct{})
			req := own.request(c.method, c.path, nil)
			req = req.WithContext(httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{Got100Continue: func() { close(asked) }}))
			req.Header.Set("Content-Type", c.content)
			req.Header.Set("Expect", "100-continue")
			req.Body, req.ContentLength = io.NopCloser(body), int64(len(c.body))
			answer := make(chan *reply, 1)
			go func() { answer <- own.send(req) }()
			select {
			case <-asked: // for the body: it was let in
			case r := <-answer:
				s.Fatalf("%s: %d", c.path, r.status)
			}
			other.post("/api/v1/sessions/"+id+"/lock", nil).want(http.StatusOK)
			_, _ = io.WriteString(rest, c.body)
			_ = rest.Close()
			(<-answer).refused(http.StatusLocked, "locked")
		}
	})
}
