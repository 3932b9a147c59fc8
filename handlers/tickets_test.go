package handlers_test

import (
	"net/http"
	"testing"
	"time"

	"belfry/models"
)

// mint gets a stream ticket from one of the two routes.
func mint(c *client, path string) string {
	c.Helper()
	r := c.post(path, nil).want(201)
	if got := r.int("expires_in_ms"); got != c.settings.ticketTTL.Milliseconds() {
		c.Errorf("expires_in_ms %d", got)
	}
	return r.text("token")
}

// TestTicket opens streams with a ticket, as often as wanted, and nothing else.
//
// Security: S16
func TestTicket(t *testing.T) {
	onEachWay(t, nil, func(s *site) {
		s.addUser("anna", models.RoleUser)
		c := s.login("anna")
		token := mint(c, "/api/v1/stream-tickets")
		for range 3 {
			s.nobody().stream("/sse/stream?token="+token).hello("active", "")
			s.bearer(token).stream("/sse/stream").hello("active", "")
		}
		// A REST route takes it in no way.
		s.bearer(token).get("/api/v1/session").refused(401, "unauthenticated")
		s.nobody().get("/api/v1/session?token="+token).refused(401, "unauthenticated")
		s.nobody().withCookie(token).get("/api/v1/session").refused(401, "unauthenticated")
		s.nobody().withCookie(token).get("/sse/stream").refused(401, "unauthenticated")
		// What is no ticket is none, also beside a good cookie.
		key := s.addKey(models.Scopes...)
		for _, wrong := range []string{"", "x", c.cookie, key, token + "x", "eyJhbGciOiJub25lIn0.e30."} {
			c.get("/sse/stream?token="+wrong).refused(401, "unauthenticated")
			c.with("Authorization", "Bearer "+wrong).get("/sse/stream").refused(401, "unauthenticated")
		}
		for _, wrong := range []string{"", "Bearer", "Basic YTpi", token, "bfk_ " + key} {
			c.with("Authorization", wrong).get("/sse/stream").refused(401, "unauthenticated")
			c.with("Authorization", wrong).get("/api/v1/session").refused(401, "unauthenticated")
		}
		s.bearer(key).get("/sse/stream").refused(401, "unauthenticated")
		s.nobody().get("/sse/stream?token="+key).refused(401, "unauthenticated")
		// The scheme's name has no case; and the header beats the query.
		s.nobody().with("Authorization", "bearer "+token).stream("/sse/stream?token=x").hello("active", "")
	})
}

// TestTicketBound: a ticket lives and dies with its session.
//
// Security: S10, S16
func TestTicketBound(t *testing.T) {
	onEachWay(t, nil, func(s *site) {
		s.addUser("anna", models.RoleUser)
		c := s.login("anna")
		c.post("/api/v1/session/lock", nil).want(200)
		token := mint(c, "/api/v1/stream-tickets")
		st := s.bearer(token).stream("/sse/stream")
		st.hello("locked", "manual")
		c.take(c.post("/api/v1/session/unlock", secret(password)).want(200))
		st.lock("active", "")
		s.bearer(token).stream("/sse/stream").hello("active", "")
		c.post("/api/v1/logout", nil).want(204)
		st.lock("ended", "logout")
		st.end()
		again := s.bearer(token).stream("/sse/stream")
		again.lock("ended", "logout")
		again.end()
	})
}

// TestTicketOfKey is minted for somebody by another system, and has no session.
//
// Security: S28
func TestTicketOfKey(t *testing.T) {
	onEachWay(t, nil, func(s *site) {
		s.addUser("anna", models.RoleUser)
		key, other := s.addKey(models.ScopeTicketsWrite), s.addKey(models.ScopeTicketsWrite)
		keyID := s.number("SELECT min(id) FROM api_keys")
		hello := func(token string, unread int) *stream {
			s.Helper()
			st := s.bearer(token).stream("/sse/stream")
			e := st.want("hello").object(s)
			if e["session"] != nil || e["unread"] != float64(unread) {
				s.Errorf("hello %v", e)
			}
			return st
		}
		token := mint(s.bearer(key), "/api/v1/users/Anna/stream-tickets")
		st := hello(token, 0)
		s.notify("anna")
		st.want("notice") // and no lock before it
		// A session of hers that locks is not this stream's business.
		c := s.login("anna")
		c.post("/api/v1/session/lock", nil).want(200)
		s.notify("anna")
		st.want("notice")

		keeper := s.bearer(s.addKey(models.ScopeUsersWrite))
		another := mint(s.bearer(other), "/api/v1/users/anna/stream-tickets")
		second := hello(another, 2)
		keeper.do(http.MethodDelete, "/api/v1/keys/"+itoa(keyID), nil).want(204)
		st.end()
		s.bearer(token).get("/sse/stream").refused(401, "unauthenticated")
		s.exec("UPDATE api_keys SET expires_at = 1 WHERE id = ?", keyID+1)
		s.bearer(another).get("/sse/stream").refused(401, "unauthenticated")
		s.exec("UPDATE api_keys SET expires_at = NULL WHERE id = ?", keyID+1)
		keeper.do(http.MethodPatch, "/api/v1/users/anna", map[string]any{"disabled": true}).want(200)
		second.end()
		s.bearer(another).get("/sse/stream").refused(401, "unauthenticated")
		s.bearer(other).post("/api/v1/users/anna/stream-tickets", nil).refused(404, "not_found")
	})
}

// TestTicketOpens: the time limits opening, not the open stream.
func TestTicketOpens(t *testing.T) {
	onEachWay(t, func(set *settings) { set.ticketTTL = time.Second }, func(s *site) {
		s.addUser("anna", models.RoleUser)
		c := s.login("anna")
		var token string
		var minted time.Time
		var st *stream
		for deadline := time.Now().Add(patience); ; { // a busy machine may not get that far in the ticket's time
			minted = time.Now()
			token = mint(c, "/api/v1/stream-tickets")
			if st = s.bearer(token).open("/sse/stream"); st.status == http.StatusOK {
				break
			}
			if time.Since(minted) < time.Second || time.Now().After(deadline) {
				s.Fatalf("status %d after %v", st.status, time.Since(minted))
			}
		}
		st.hello("active", "")
		time.Sleep(time.Until(minted.Add(1200 * time.Millisecond))) // the ticket's own time
		s.bearer(token).get("/sse/stream").refused(401, "unauthenticated")
		s.notify("anna")
		st.want("notice")
	})
}
