package handlers_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"belfry/models"
)

// TestAuditExportStopsAtTheLock: of a record that is being read when the session locks no more comes than was on its way.
//
// Security: L2
func TestAuditExportStopsAtTheLock(t *testing.T) {
	const records, each = 12_000, 4 << 10 // more than the sockets hold
	onEach(t, nil, func(s *site) {
		s.addUser("root", models.RoleAdmin)
		agent := strings.Repeat("x", each)
		s.exec(`WITH RECURSIVE many (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM many WHERE n < ?)
			INSERT INTO audit (at, action, actor_type, actor_name, actor_session, username, session, key_name, ip, user_agent, detail)
			SELECT 1, 'session.locked', 'system', '', '', 'bulk', '', '', '', ?, '{}' FROM many`, records, agent)
		own, other := s.login("root"), s.login("root")
		id := own.get("/api/v1/session").text("id")
		answer, err := own.http.Do(own.request(http.MethodGet, "/api/v1/audit/export?user=bulk", nil))
		if err != nil {
			s.Fatal(err)
		}
		defer answer.Body.Close()
		if _, err := io.ReadFull(answer.Body, make([]byte, 1)); err != nil || answer.StatusCode != http.StatusOK {
			s.Fatalf("%d, %v", answer.StatusCode, err)
		}
		other.post("/api/v1/sessions/"+id+"/lock", nil).want(http.StatusOK)
		n, err := io.Copy(io.Discard, answer.Body)
		if err == nil || n >= records*each {
			s.Errorf("%d bytes came of more than %d, %v", n, records*each, err)
		}
	})
}
