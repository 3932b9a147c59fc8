package services

import (
	"net/http"
	"testing"
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
