package services

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	webhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"belfry/models"
)

// receiver is another system on this machine that is told of sessions. It checks what it gets with the library that
// receivers use.
type receiver struct {
	*httptest.Server
	hook    NewWebhook
	mu      sync.Mutex
	answer  func(received) int // the status; nil = 204
	arrived chan received
}

// received is one message as it came.
type received struct {
	id   string
	body webhookMessage
}

func newReceiver(t *testing.T, listener net.Listener) *receiver {
	t.Helper()
	r := &receiver{arrived: make(chan received, 10_000)}
	r.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			t.Error(err)
		}
		r.mu.Lock()
		secret, answer := r.hook.Secret, r.answer
		r.mu.Unlock()
		verifier, err := webhooks.NewWebhook(secret)
		if err == nil {
			err = verifier.Verify(body, req.Header)
		}
		if err != nil || req.Method != http.MethodPost || req.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s, %v: %v: %s", req.Method, req.Header, err, body)
		}
		m := received{id: req.Header.Get(webhooks.HeaderWebhookID)}
		if err := json.Unmarshal(body, &m.body); err != nil {
			t.Error(err)
		}
		status := http.StatusNoContent
		if answer != nil {
			status = answer(m)
		}
		if status == http.StatusFound {
			w.Header().Set("Location", "/elsewhere")
		}
		w.WriteHeader(status)
		r.arrived <- m
	}))
	if listener != nil {
		must(t, r.Listener.Close())
		r.Listener = listener
	}
	r.Start()
	t.Cleanup(r.Close)
	return r
}

// receiver adds one that is told of the given events; of all where there are none.
func (n *node) receiver(t *testing.T, w *Webhooks, events ...models.WebhookEvent) *receiver {
	t.Helper()
	r := newReceiver(t, nil)
	hook := got(w.Create(t.Context(), r.URL, events, Repeatable{}))(t)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.hook = hook
	return r
}

// answers sets what the receiver says from now on.
func (r *receiver) answers(answer func(received) int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = answer
}

func status(code int) func(received) int { return func(received) int { return code } }

// next waits for a message, which has to be of this kind and session.
func (r *receiver) next(t *testing.T, event models.WebhookEvent, session string) received {
	t.Helper()
	select {
	case m := <-r.arrived:
		if m.body.Type != event || m.body.Data.Session != session {
			t.Fatalf("%s of %s came, want %s of %s", m.body.Type, m.body.Data.Session, event, session)
		}
		return m
	case <-time.After(patience):
		t.Fatalf("%s of %s did not come", event, session)
		return received{}
	}
}

// row is the webhook as it stands in the database.
func (n *node) webhook(t *testing.T, id int64) (hook models.Webhook) {
	t.Helper()
	must(t, n.db.Write.WithContext(t.Context()).Take(&hook, id).Error)
	return hook
}

// settled waits until the webhook's row is as it should be: how an attempt went is written down after the answer.
func (n *node) settled(t *testing.T, id int64, what string, as func(models.Webhook) bool) {
	t.Helper()
	n.eventually(t, what, func() bool { return as(n.webhook(t, id)) })
}

// eventually looks again and again: nothing tells of a row that a node has written for itself alone.
func (n *node) eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !is(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

// sender is the part of a node that sends; it is not sending yet.
func (n *node) sender(t *testing.T) *Webhooks {
	t.Helper()
	w := NewWebhooks(n.db, n.journal, NewVault(n.tokens.ring), slog.New(slog.DiscardHandler))
	t.Cleanup(w.client.CloseIdleConnections)
	return w
}

// sending begins to send, and gives the way to stop it.
func sending(t *testing.T, w *Webhooks) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { w.Deliver(ctx) })
	stop = func() { cancel(); running.Wait() }
	t.Cleanup(stop)
	return stop
}

// waiting counts the messages that are still to be sent.
func (n *node) waiting(t *testing.T) int64 {
	t.Helper()
	return n.number(t, "SELECT count(*) FROM webhook_deliveries")
}

// hasten makes all that waits due now, as if the time between two attempts had passed.
func (n *node) hasten(t *testing.T) {
	t.Helper()
	n.run(t, "UPDATE webhook_deliveries SET due_at = "+n.db.now())
}
