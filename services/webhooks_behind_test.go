package services

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"gorm.io/gorm"

	"belfry/models"
)

// TestWebhookBehindOnePutOff: what waits for a message that was put off is not due before it, whether it came before or after
// that, so that nobody looks for it in vain.
func TestWebhookBehindOnePutOff(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		w := n.sender(t)
		r := n.receiver(t, w)
		r.answers(func(received) int { return http.StatusInternalServerError })
		n.person(t, "anna")
		l, _ := n.signIn(t, "anna")
		got(n.sessions.Lock(t.Context(), l, l.ID))(t)
		if got(w.sendDue(t.Context(), r.hook.ID))(t) != 0 {
			t.Error("a failure arrived")
		}
		must(t, n.sessions.Logout(t.Context(), l))
		if due := n.number(t, "SELECT count(*) FROM webhook_deliveries WHERE due_at <= "+n.db.now()); due != 0 || n.waiting(t) != 3 {
			t.Errorf("%d of %d are due", due, n.waiting(t))
		}
		if ids := got(w.due(t.Context()))(t); len(ids) != 0 {
			t.Errorf("due: %v", ids)
		}
		r.answers(nil)
		n.hasten(t)
		for range 3 {
			if got(w.sendDue(t.Context(), r.hook.ID))(t) != 1 {
				t.Error("the next one had no turn")
			}
		}
	})
}

// TestMuchWaitsForAWebhook: what is to be sent after the last message of its session is written without a look at all that waits.
// While a receiver is away, or many sessions change at once, each look would be at thousands, and on SQLite every publish waits.
func TestMuchWaitsForAWebhook(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		w := n.sender(t)
		r := n.receiver(t, w)
		events := make([]sessionEvent, outboxAtOnce)
		for i := range events {
			events[i] = sessionEvent{Event: models.WebhookLocked, Session: fmt.Sprint(i), State: models.SessionLocked}
		}
		must(t, n.db.Write.Transaction(func(tx *gorm.DB) error { return n.db.tellWebhooks(tx.WithContext(t.Context()), events...) }))
		n.run(t, "ANALYZE")
		query := strings.NewReplacer("webhook_id = ?", "webhook_id = @hook", "session_id = ?", "session_id = @session").Replace(lastOfSession)
		explain := "EXPLAIN QUERY PLAN "
		if n.db.Dialect == Postgres {
			explain = "EXPLAIN "
		}
		plan := n.plan(t, explain+query, map[string]any{"hook": r.hook.ID, "session": "7"})
		if !strings.Contains(plan, "webhook_deliveries_by_session") {
			t.Errorf("it is not found by the session:\n%s", plan)
		}
	})
}
