package services

import (
	"testing"
	"time"

	"belfry/models"
)

// TestKeyTicketRefusedWhileOpening: what refuses a ticket after it was looked at, and before the connection is known, is not missed.
//
// Security: S10
func TestKeyTicketRefusedWhileOpening(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		for name, refuse := range map[string]func(key int64) error{
			"revoked":  func(key int64) error { return n.keys.Revoke(t.Context(), key) },
			"disabled": func(int64) error { return n.users.Disable(t.Context(), "disabled") },
			"deleted":  func(int64) error { return n.users.Delete(t.Context(), "deleted") },
		} {
			user := n.person(t, name)
			key, _, err := n.keys.Create(t.Context(), KeySpec{Name: "host", Scopes: []models.Scope{models.ScopeTicketsWrite}})
			must(t, err)
			task, _, err := n.tasks.Create(t.Context(), n.system(t), NewTask{Title: "x", To: Target{Users: []string{name}}})
			must(t, err)
			req := StreamRequest{Ticket: n.ticket(t, got(n.keys.TicketFor(t.Context(), n.tokens, key, name))(t)), Wants: ClassAll}
			who := got(n.identify(t.Context(), req))(t)
			row := got(n.tasks.read(t.Context(), who.asker(), task.ID))(t)
			must(t, refuse(key.ID))
			must(t, n.hub.Await(t.Context(), n.journal.Committed()))
			_, err = n.open(t.Context(), who, req)
			refused(t, name, err, models.CodeUnauthenticated)
			_, err = n.openTask(t.Context(), n.tasks, who, row, TaskStreamRequest{Ticket: req.Ticket, Task: task.ID})
			refused(t, name+", a log", err, models.CodeUnauthenticated)
			if left := n.hub.Of(userAudience(user.ID)); len(left) != 0 {
				t.Errorf("%s: %d streams are left", name, len(left))
			}
		}
	})
}

// TestTicketOfAKeyThatExpired: a ticket opens nothing once its key's time is over, however long it is good itself.
func TestTicketOfAKeyThatExpired(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		n.person(t, "ann")
		soon := models.InstantOf(time.Now().Add(time.Hour))
		key, _, err := n.keys.Create(t.Context(), KeySpec{Name: "host", Scopes: []models.Scope{models.ScopeTicketsWrite}, Expires: &soon})
		must(t, err)
		req := StreamRequest{Ticket: n.ticket(t, got(n.keys.TicketFor(t.Context(), n.tokens, key, "ann"))(t)), Wants: ClassAll}
		n.stream(t, req).hello(t)
		n.run(t, "UPDATE api_keys SET expires_at = "+n.db.now()+" WHERE id = ?", key.ID)
		_, err = n.Open(t.Context(), req)
		refused(t, "expired", err, models.CodeUnauthenticated)
	})
}
