package services

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"

	"belfry/models"
	"belfry/services/journal"
)

// TestWebhookFollowsASession: each change comes once, in order, signed, and says who brought it about.
//
// Security: S38
func TestWebhookFollowsASession(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		w := n.sender(t)
		all, ends := n.receiver(t, w), n.receiver(t, w, models.WebhookEnded, models.WebhookLocked)
		sending(t, w)
		n.person(t, "anna")
		before := n.number(t, "SELECT "+n.db.now())
		l, cookie := n.signIn(t, "anna")
		mine := WithActor(t.Context(), Actor{Type: ActorUser, Name: "anna", Session: l.ID})
		got(n.sessions.Lock(mine, l, l.ID))(t)
		_, cookie, err := n.sessions.Unlock(mine, n.resolve(t, cookie), password)
		must(t, err)
		n.idle(t, l.ID, testLimits.Idle)
		must(t, n.sessions.Sweep(t.Context()))
		_, cookie, err = n.sessions.Unlock(mine, n.resolve(t, cookie), password)
		must(t, err)
		got(n.sessions.LockUser(WithActor(t.Context(), Actor{Type: ActorKey, Name: "door"}), "anna"))(t)
		must(t, n.sessions.EndUser(WithActor(t.Context(), Actor{Type: ActorUser, Name: "root"}), "anna"))
		_ = cookie

		ids := map[string]bool{}
		for _, want := range []struct {
			event      models.WebhookEvent
			state      models.SessionState
			reason, by string
		}{
			{models.WebhookStarted, models.SessionActive, "", "user"},
			{models.WebhookLocked, models.SessionLocked, "manual", "user"},
			{models.WebhookUnlocked, models.SessionActive, "", "user"},
			{models.WebhookLocked, models.SessionLocked, "idle", "policy"},
			{models.WebhookUnlocked, models.SessionActive, "", "user"},
			{models.WebhookLocked, models.SessionLocked, "admin", "system"},
			{models.WebhookEnded, models.SessionEnded, "admin", "admin"},
		} {
			m := all.next(t, want.event, l.ID)
			reason := ""
			if m.body.Data.Reason != nil {
				reason = string(*m.body.Data.Reason)
			}
			now := n.number(t, "SELECT "+n.db.now())
			if m.body.Data.User != "anna" || m.body.Data.State != want.state || reason != want.reason || m.body.Data.InitiatingEntity != want.by ||
				int64(m.body.Timestamp) < before || int64(m.body.Timestamp) > now || m.body.Data.EventTimestamp != int64(m.body.Timestamp)/1000 {
				t.Errorf("%+v, want %+v", m.body, want)
			}
			if !strings.HasPrefix(m.id, "msg_") || ids[m.id] {
				t.Errorf("id %q", m.id)
			}
			ids[m.id] = true
			if want.event == models.WebhookLocked || want.event == models.WebhookEnded {
				if other := ends.next(t, want.event, l.ID); other.id != m.id {
					t.Errorf("one message under two ids")
				}
			}
		}
		n.eventually(t, "nothing waits", func() bool { return n.waiting(t) == 0 })
		n.settled(t, all.hook.ID, "a good delivery is shown", func(h models.Webhook) bool {
			return h.LastStatus != nil && *h.LastStatus == http.StatusNoContent && h.LastDeliveryAt != nil && h.FailingSince == nil
		})
	})
}

// TestWebhookOfAPersonWhoGoes: being disabled, or deleted, is told with the name, by whom and from a command as well.
func TestWebhookOfAPersonWhoGoes(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		w := n.sender(t)
		r := n.receiver(t, w, models.WebhookEnded)
		sending(t, w)
		for _, name := range []string{"anna", "bob"} {
			n.person(t, name)
		}
		anna, _ := n.signIn(t, "anna")
		bob, _ := n.signIn(t, "bob")
		command := WithActor(t.Context(), Actor{Type: ActorCommand})
		must(t, n.users.Disable(command, "anna"))
		if m := r.next(t, models.WebhookEnded, anna.ID); m.body.Data.User != "anna" || m.body.Data.InitiatingEntity != "admin" {
			t.Errorf("%+v", m.body)
		}
		must(t, n.users.Delete(command, "bob"))
		if m := r.next(t, models.WebhookEnded, bob.ID); m.body.Data.User != "bob" || *m.body.Data.Reason != models.ReasonDisabled {
			t.Errorf("%+v", m.body)
		}
	})
}

// TestWebhookOfARolledBackChange: what did not happen is not told.
//
// Security: S38
func TestWebhookOfARolledBackChange(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		w := n.sender(t)
		r := n.receiver(t, w, models.WebhookEnded)
		n.person(t, "anna")
		l, _ := n.signIn(t, "anna")
		failed := errors.New("the change fails at its end")
		seen := int64(0)
		_, err := n.journal.Transact(t.Context(), func(tx *gorm.DB) ([]journal.Draft, error) {
			if _, err := n.sessions.end(tx, models.ReasonAdmin, "id = ?", l.ID); err != nil {
				return nil, err
			}
			return nil, errors.Join(tx.Raw("SELECT count(*) FROM webhook_deliveries").Scan(&seen).Error, failed)
		})
		if !errors.Is(err, failed) || seen != 1 {
			t.Fatalf("%v, with %d messages inside: this proves nothing", err, seen)
		}
		if left := n.waiting(t); left != 0 {
			t.Errorf("%d messages of a change that was rolled back", left)
		}
		sending(t, w)
		must(t, n.sessions.Logout(t.Context(), l))
		if m := r.next(t, models.WebhookEnded, l.ID); *m.body.Data.Reason != models.ReasonLogout {
			t.Errorf("%+v", m.body)
		}
	})
}

// TestWebhookAfterAKill: a node that sent and did not live to write it down is followed by another, which sends the same
// message under the same id; but not while the first may still be at it.
//
// Security: S38
func TestWebhookAfterAKill(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		killed, other := n.sender(t), n.sender(t)
		r := n.receiver(t, killed, models.WebhookStarted)
		n.person(t, "anna")
		l, _ := n.signIn(t, "anna")
		rows := got(killed.claim(t.Context(), r.hook.ID))(t)
		if len(rows) != 1 {
			t.Fatalf("%d rows", len(rows))
		}
		signer := signerOf(t, r.hook.Secret)
		if status := got(killed.post(t.Context(), r.URL, signer, &rows[0]))(t); status != http.StatusNoContent {
			t.Fatal(status)
		}
		first := r.next(t, models.WebhookStarted, l.ID) // here it dies
		if again := got(other.claim(t.Context(), r.hook.ID))(t); len(again) != 0 {
			t.Fatal("the message can be had twice")
		}
		sending(t, other)
		n.run(t, "UPDATE webhook_deliveries SET leased_until = "+n.db.now())
		if second := r.next(t, models.WebhookStarted, l.ID); second != first {
			t.Errorf("%+v, then %+v", first, second)
		}
		n.eventually(t, "the message is written off", func() bool { return n.waiting(t) == 0 })
	})
}

// TestWebhookNodesAtOnce: of several nodes that send each message comes from one, and those of a session come in order.
func TestWebhookNodesAtOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		nodes := []*Webhooks{n.sender(t), n.sender(t), n.sender(t)}
		r := n.receiver(t, nodes[0])
		const sessions, rounds = 40, 3
		names := make([]string, sessions)
		order := map[string][]string{}
		must(t, n.db.Write.Transaction(func(tx *gorm.DB) error {
			for i := range names {
				names[i] = fmt.Sprintf("session-%d", i)
			}
			var events []sessionEvent
			for round := range rounds {
				for _, name := range names {
					events = append(events, sessionEvent{Event: models.WebhookLocked, Session: name, State: models.SessionLocked, At: models.Instant(round)})
				}
			}
			return n.db.tellWebhooks(tx.WithContext(t.Context()), events...)
		}))
		for _, w := range nodes {
			sending(t, w)
		}
		seen := map[string]bool{}
		for range sessions * rounds {
			select {
			case m := <-r.arrived:
				if seen[m.id] {
					t.Errorf("%s was sent twice", m.id)
				}
				seen[m.id] = true
				order[m.body.Data.Session] = append(order[m.body.Data.Session], m.body.Timestamp.String())
			case <-time.After(patience):
				t.Fatalf("%d of %d came", len(seen), sessions*rounds)
			}
		}
		for name, times := range order {
			if len(times) != rounds || !slices.IsSorted(times) {
				t.Errorf("%s: %v", name, times)
			}
		}
		n.eventually(t, "nothing waits", func() bool { return n.waiting(t) == 0 })
	})
}

// TestWebhookFailures: a message that fails is put off, longer each time, and holds back its own session and no other.
func TestWebhookFailures(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		w := n.sender(t)
		r := n.receiver(t, w)
		n.person(t, "anna")
		n.person(t, "bob")
		anna, _ := n.signIn(t, "anna")
		r.answers(func(m received) int {
			if m.body.Data.Session == anna.ID {
				return http.StatusInternalServerError
			}
			return http.StatusOK
		})
		must(t, n.sessions.Logout(t.Context(), anna))
		sending(t, w)
		first := r.next(t, models.WebhookStarted, anna.ID)
		n.settled(t, r.hook.ID, "a failure is shown", func(h models.Webhook) bool {
			return h.LastStatus != nil && *h.LastStatus == http.StatusInternalServerError && h.FailingSince != nil
		})
		n.run(t, "UPDATE webhooks SET failing_since = failing_since - 1000")
		bob, _ := n.signIn(t, "bob")
		r.next(t, models.WebhookStarted, bob.ID)
		// That one arrived made what waits due at once.
		if m := r.next(t, models.WebhookStarted, anna.ID); m != first {
			t.Errorf("%+v, then %+v", first, m)
		}
		for attempt := 2; attempt <= len(webhookWaits); attempt++ {
			n.eventually(t, "the attempt is written down", func() bool {
				return n.number(t, "SELECT attempts FROM webhook_deliveries WHERE session_id = ? AND leased_until = 0 ORDER BY id LIMIT 1", anna.ID) == int64(attempt)
			})
			wait := time.Duration(n.number(t, "SELECT due_at - "+n.db.now()+" FROM webhook_deliveries ORDER BY id LIMIT 1")) * time.Millisecond
			if want := webhookWaits[attempt-1]; wait > want*11/10 || wait < want*9/10-5*time.Second {
				t.Errorf("after attempt %d it waits for %v, want about %v", attempt, wait, want)
			}
			n.hasten(t)
			r.next(t, models.WebhookStarted, anna.ID)
		}
		// The last attempt has failed: it is given up, and the session's next has its turn.
		n.settled(t, r.hook.ID, "it is given up", func(h models.Webhook) bool { return h.GivenUp == 1 })
		r.answers(nil)
		n.hasten(t)
		r.next(t, models.WebhookEnded, anna.ID)
		n.eventually(t, "nothing waits", func() bool { return n.waiting(t) == 0 })
		total := time.Duration(0)
		for _, wait := range webhookWaits {
			total += wait
		}
		if total < 27*time.Hour || total > 29*time.Hour {
			t.Errorf("a message is tried for %v", total)
		}
	})
}

// TestWebhookHangs: a receiver that does not answer, with more to get than goes to it at once, delays nobody else.
func TestWebhookHangs(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		w := n.sender(t)
		let := make(chan struct{})
		hangs, fine := n.receiver(t, w), n.receiver(t, w)
		var letAll sync.Once
		release := func() { letAll.Do(func() { close(let) }) }
		t.Cleanup(release)
		var asked sync.WaitGroup
		asked.Add(webhookWidth)
		hangs.answers(func(received) int { asked.Done(); <-let; return http.StatusOK })
		const sessions = webhookWidth + 5
		must(t, n.db.Write.Transaction(func(tx *gorm.DB) error {
			var events []sessionEvent
			for i := range sessions {
				events = append(events, sessionEvent{Event: models.WebhookLocked, Session: fmt.Sprint(i), State: models.SessionLocked})
			}
			return n.db.tellWebhooks(tx.WithContext(t.Context()), events...)
		}))
		stop := sending(t, w)
		asked.Wait()
		for range sessions {
			select {
			case <-fine.arrived:
			case <-time.After(patience):
				t.Fatal("one waits for the other")
			}
		}
		n.person(t, "anna") // and what comes later
		l, _ := n.signIn(t, "anna")
		fine.next(t, models.WebhookStarted, l.ID)
		if len(hangs.arrived) > 0 {
			t.Error("it has answered meanwhile: this proves nothing")
		}
		// A node that is told to stop does not wait, and leaves what it was at to the others.
		stop()
		if left := n.number(t, "SELECT count(*) FROM webhook_deliveries WHERE webhook_id = ? AND leased_until = 0 AND attempts = 0", hangs.hook.ID); left != sessions+1 {
			t.Errorf("%d messages can be had by another node, want %d", left, sessions+1)
		}
		release()
	})
}

// TestWebhookRedirects: who is told is what an admin said.
func TestWebhookRedirects(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		w := n.sender(t)
		r := n.receiver(t, w)
		r.answers(status(http.StatusFound))
		sending(t, w)
		n.person(t, "anna")
		l, _ := n.signIn(t, "anna")
		r.next(t, models.WebhookStarted, l.ID)
		n.settled(t, r.hook.ID, "a redirect is a failure", func(h models.Webhook) bool {
			return h.LastStatus != nil && *h.LastStatus == http.StatusFound && h.FailingSince != nil
		})
		if len(r.arrived) > 0 || n.waiting(t) != 1 {
			t.Errorf("%d more came, %d wait", len(r.arrived), n.waiting(t))
		}
	})
}

// TestWebhookGone: 410 ends it, and what was to be sent goes with it.
func TestWebhookGone(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		w := n.sender(t)
		gone, stays := n.receiver(t, w), n.receiver(t, w)
		gone.answers(status(http.StatusGone))
		n.person(t, "anna")
		l, _ := n.signIn(t, "anna")
		sending(t, w)
		gone.next(t, models.WebhookStarted, l.ID)
		stays.next(t, models.WebhookStarted, l.ID)
		n.settled(t, gone.hook.ID, "it is disabled", func(h models.Webhook) bool { return h.DisabledAt != nil && *h.LastStatus == http.StatusGone })
		must(t, n.sessions.Logout(t.Context(), l))
		stays.next(t, models.WebhookEnded, l.ID)
		n.eventually(t, "nothing waits", func() bool { return n.waiting(t) == 0 })
		if len(gone.arrived) > 0 {
			t.Error("it was sent something more")
		}
	})
}

// TestWebhookAwayAndBack: nothing is lost while the receiver is away, and it need not wait for it once it is back.
func TestWebhookAwayAndBack(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		w := n.sender(t)
		r := n.receiver(t, w)
		address := r.Listener.Addr().String()
		r.Close()
		n.person(t, "anna")
		n.person(t, "bob")
		anna, _ := n.signIn(t, "anna")
		sending(t, w)
		n.settled(t, r.hook.ID, "no answer is shown", func(h models.Webhook) bool { return h.FailingSince != nil && h.LastStatus == nil })
		n.run(t, "UPDATE webhooks SET failing_since = failing_since - 3600000")
		since := *n.webhook(t, r.hook.ID).FailingSince
		n.run(t, "UPDATE webhook_deliveries SET due_at = due_at + 3600000, attempts = 5")
		bob, _ := n.signIn(t, "bob")
		n.eventually(t, "the second one fails as well", func() bool {
			return n.number(t, "SELECT count(*) FROM webhook_deliveries WHERE attempts > 0 AND leased_until = 0") == 2
		})
		if again := n.webhook(t, r.hook.ID).FailingSince; again == nil || *again != since {
			t.Errorf("failing since %v, want %v", again, since)
		}
		back := newReceiver(t, got(net.Listen("tcp", address))(t))
		back.mu.Lock()
		back.hook = r.hook
		back.mu.Unlock()
		n.run(t, "UPDATE webhook_deliveries SET due_at = "+n.db.now()+" WHERE session_id = ?", bob.ID)
		back.next(t, models.WebhookStarted, bob.ID)
		back.next(t, models.WebhookStarted, anna.ID) // an hour early
		n.settled(t, r.hook.ID, "it is well again", func(h models.Webhook) bool { return h.FailingSince == nil && h.LastStatus != nil })
	})
}
