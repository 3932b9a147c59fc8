package handlers_test

import (
	"bytes"
	"io"
	"net/http"
	"testing"

	"belfry/models"
)

// TestLogStopsAtTheLock: of a log that is being read when the session locks no more comes than was on its way.
//
// Security: L2
func TestLogStopsAtTheLock(t *testing.T) {
	const pieces = 48 // MiB: more than the sockets hold
	onEach(t, nil, func(s *site) {
		s.addUser("anna", models.RoleUser)
		runner := s.bearer(s.addKey(models.ScopeTasksWrite))
		task := runner.newTask("anna")
		piece := bytes.Repeat([]byte("0123456789abcde\n"), 1<<16)
		for i := range pieces {
			runner.add(task, i*len(piece), string(piece)).want(http.StatusOK)
		}
		own, other := s.login("anna"), s.login("anna")
		id := own.get("/api/v1/session").text("id")
		answer, err := own.http.Do(own.request(http.MethodGet, task+"/log", nil))
		if err != nil {
			s.Fatal(err)
		}
		defer answer.Body.Close()
		if _, err := io.ReadFull(answer.Body, make([]byte, 1)); err != nil || answer.StatusCode != http.StatusOK {
			s.Fatalf("%d, %v", answer.StatusCode, err)
		}
		other.post("/api/v1/sessions/"+id+"/lock", nil).want(http.StatusOK)
		n, err := io.Copy(io.Discard, answer.Body)
		if err == nil || n+1 >= int64(pieces*len(piece)) {
			s.Errorf("%d of %d bytes came, %v", n+1, pieces*len(piece), err)
		}
	})
}
