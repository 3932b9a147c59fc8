package services

import (
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	webhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"gorm.io/gorm"

	"belfry/models"
)

func signerOf(t *testing.T, secret string) *webhooks.Webhook {
	t.Helper()
	return got(webhooks.NewWebhook(secret))(t)
}

// TestWebhookSecret: it is shown to whoever adds the webhook, once, and lies sealed where there is a key to seal with.
func TestWebhookSecret(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		ring := got(NewKeyring(t.Context(), n.db, testKey))(t)
		w := NewWebhooks(n.db, n.journal, NewVault(ring), slog.New(slog.DiscardHandler))
		once := Repeatable{Principal: "user:1", Key: "k", Digest: "d"}
		const address = "https://app.example/hook?secret=1"
		hook := got(w.Create(t.Context(), address, nil, once))(t)
		if !strings.HasPrefix(hook.Secret, "whsec_") || len(hook.Secret) < len("whsec_")+32 || hook.Replayed {
			t.Errorf("secret of %d characters, replayed %v", len(hook.Secret), hook.Replayed)
		}
		if again := got(w.Create(t.Context(), address, nil, once))(t); again.ID != hook.ID || again.Secret != hook.Secret || !again.Replayed {
			t.Errorf("the same request gave another webhook: %+v", again.Webhook)
		}
		if other := got(w.Create(t.Context(), address, nil, Repeatable{}))(t); other.Secret == hook.Secret {
			t.Error("two webhooks have one secret")
		}
		stored := n.webhook(t, hook.ID).Secret
		if !strings.HasPrefix(stored, "sealed.") || strings.Contains(stored, strings.TrimPrefix(hook.Secret, "whsec_")) {
			t.Errorf("stored as %q", stored[:10])
		}
		var records []string
		must(t, n.db.Write.Raw("SELECT detail FROM audit WHERE action = 'webhook.added'").Scan(&records).Error)
		if len(records) != 2 || strings.Contains(strings.Join(records, ""), "secret") || !strings.Contains(records[0], "app.example") {
			t.Errorf("%q", records)
		}
		// Whoever can write to the table cannot have it sign for another receiver.
		n.run(t, "UPDATE webhooks SET url = 'https://evil.example/' WHERE id = ?", hook.ID)
		n.run(t, "INSERT INTO webhook_deliveries (webhook_id, session_id, message_id, body, due_at) VALUES (?, 's', 'msg_1', '{}', 0)", hook.ID)
		if _, err := w.sendDue(t.Context(), hook.ID); err == nil {
			t.Error("signed for another address")
		}
		must(t, w.Delete(t.Context(), hook.ID))
		refused(t, "deleted twice", w.Delete(t.Context(), hook.ID), models.CodeNotFound)
		if n.waiting(t) != 0 {
			t.Error("messages of a webhook that is gone")
		}
	})
}

func TestWebhookInput(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		w := n.sender(t)
		for _, address := range []string{"", "x", "ftp://a.example", "//a.example", "https://", "https:///p", "http://user@a.example", "http://u:p@a.example/", "http://a.example/#f", "http://a.example/#",
			"javascript:alert(1)", "http://a.example/\x00", "http://a.example/" + strings.Repeat("x", models.MaxWebhookURL)} {
			_, err := w.Create(t.Context(), address, nil, Repeatable{})
			if e := refused(t, address, err, models.CodeInvalid); !slices.Equal(fields(e), []string{"url"}) || strings.Contains(e.Error(), "example") {
				t.Errorf("%q: %+v", address, e)
			}
		}
		_, err := w.Create(t.Context(), "http://a.example", []models.WebhookEvent{"session.locked", "notice.sent"}, Repeatable{})
		if e := refused(t, "events", err, models.CodeInvalid); !slices.Equal(fields(e), []string{"events"}) {
			t.Errorf("%+v", e)
		}
		hook := got(w.Create(t.Context(), "http://127.0.0.1:1/p?q=1", []models.WebhookEvent{models.WebhookEnded, models.WebhookLocked, models.WebhookEnded}, Repeatable{}))(t)
		if hook.EventList != "session.locked session.ended" {
			t.Errorf("events %q", hook.EventList)
		}
		var made atomic.Int64
		atOnce(4, func(i int) {
			for k := range models.MaxWebhooks / 2 {
				_, err := w.Create(t.Context(), fmt.Sprintf("http://a.example/%d/%d", i, k), nil, Repeatable{})
				switch {
				case err == nil:
					made.Add(1)
				case codeOf(err) != models.CodeConflict:
					t.Error(err)
				}
			}
		})
		if list := got(w.List(t.Context()))(t); len(list) < models.MaxWebhooks || len(list) > models.MaxWebhooks+3 {
			t.Errorf("%d webhooks", len(list))
		}
	})
}

// TestWebhookThatIsWellForOthers: a message that alone fails is tried for as long as any, however much arrives meanwhile. What
// is due at once when a receiver is back is not, where it was never away.
func TestWebhookThatIsWellForOthers(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		w := n.sender(t)
		r := n.receiver(t, w)
		r.answers(func(m received) int {
			if m.body.Data.Session == "refused" {
				return http.StatusTooManyRequests
			}
			return http.StatusOK
		})
		tell := func(session string) {
			t.Helper()
			must(t, n.db.Write.Transaction(func(tx *gorm.DB) error {
				return n.db.tellWebhooks(tx.WithContext(t.Context()), sessionEvent{Event: models.WebhookLocked, Session: session, State: models.SessionLocked})
			}))
		}
		tell("refused")
		for i := range 2 * len(webhookWaits) {
			got(w.sendDue(t.Context(), r.hook.ID))(t)
			tell(fmt.Sprint(i))
			got(w.sendDue(t.Context(), r.hook.ID))(t)
		}
		if hook := n.webhook(t, r.hook.ID); hook.GivenUp != 0 {
			t.Error("it was given up within a moment")
		}
		if attempts := n.number(t, "SELECT COALESCE(max(attempts), 0) FROM webhook_deliveries"); attempts < 1 || attempts > 3 {
			t.Errorf("%d attempts within a moment", attempts)
		}
	})
}

// TestWebhookAttemptThatIsLate: an attempt that comes to its end after its lease leaves the one that began since alone, or the
// message would be sent a third time beside that, or be given up though it arrives.
func TestWebhookAttemptThatIsLate(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		w := n.sender(t)
		hook := got(w.Create(t.Context(), "http://127.0.0.1:1/", nil, Repeatable{}))(t)
		n.person(t, "ann")
		n.signIn(t, "ann")
		for _, before := range []int{0, len(webhookWaits)} { // the first, and the last that there is
			n.run(t, "UPDATE webhook_deliveries SET attempts = ?, leased_until = 0", before)
			late := got(w.claim(t.Context(), hook.ID))(t)
			n.run(t, "UPDATE webhook_deliveries SET leased_until = 0")
			if next := got(w.claim(t.Context(), hook.ID))(t); len(late) != 1 || len(next) != 1 || next[0].Attempts != before+2 {
				t.Fatalf("%+v, then %+v", late, next)
			}
			must(t, w.settle(t.Context(), &hook.Webhook, &late[0], http.StatusInternalServerError, false))
			must(t, w.giveBack(t.Context(), &late[0]))
			now := n.db.now()
			if n.number(t, "SELECT count(*) FROM webhook_deliveries WHERE attempts = ? AND due_at <= "+now+" AND leased_until > "+now, before+2) != 1 {
				t.Errorf("after %d attempts the one that is under way has lost its lease", before)
			}
		}
		if row := n.webhook(t, hook.ID); row.GivenUp != 0 {
			t.Errorf("%d given up", row.GivenUp)
		}
	})
}
