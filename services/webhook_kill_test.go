package services

import (
	"context"
	"flag"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"testing"

	"belfry/internal/testpg"
	"belfry/models"
	"belfry/services/announce"
	"belfry/services/journal"
)

// nodeToKill tells a process, which is this test binary once more, to be a node that sends.
var nodeToKill = flag.String("node-to-kill", "", "address of the database of a node that sends until it is killed")

// TestNodeToKill is that process. Among the tests themselves there is nothing to it.
func TestNodeToKill(t *testing.T) {
	if *nodeToKill == "" {
		return
	}
	db := got(OpenDatabase(t.Context(), *nodeToKill))(t)
	quiet := slog.New(slog.DiscardHandler)
	j := got(journal.Open(t.Context(), db.Read, db.Write, announce.NewLocal(), quiet))(t)
	NewWebhooks(db, j, NewVault(got(NewKeyring(t.Context(), db, nil))(t)), quiet).Deliver(context.Background()) // until it is killed
}

// TestWebhookOfANodeThatIsKilled kills a process when its message has arrived and before it hears so. Another node sends
// it again, under the same id.
//
// Security: S38
func TestWebhookOfANodeThatIsKilled(t *testing.T) {
	t.Parallel()
	t.Run(SQLite, func(t *testing.T) { t.Parallel(); killedNode(t, sqliteAddress(t)) })
	t.Run(Postgres, func(t *testing.T) { t.Parallel(); killedNode(t, testpg.Database(t)) })
}

func killedNode(t *testing.T, address string) {
	r, session := newReceiver(t, nil), ""
	t.Run("a session begins", func(t *testing.T) {
		n := newNode(t, address) // gone at the end of this: one process at a time has SQLite's file
		hook := got(n.sender(t).Create(t.Context(), r.URL, nil, Repeatable{}))(t)
		r.mu.Lock()
		r.hook = hook
		r.mu.Unlock()
		n.person(t, "anna")
		l, _ := n.signIn(t, "anna")
		session = l.ID
	})
	node := exec.Command(os.Args[0], "-test.run=^TestNodeToKill$", "-node-to-kill="+address)
	started := make(chan struct{})
	kill := func() {
		<-started
		_ = node.Process.Kill() // it may be dead already
		_ = node.Wait()
	}
	r.answers(func(received) int { kill(); return http.StatusOK })
	must(t, node.Start())
	close(started)
	t.Cleanup(kill) // where nothing came
	first := r.next(t, models.WebhookStarted, session)
	r.answers(nil)
	t.Run("another node", func(t *testing.T) {
		n := newNode(t, address)
		if left := n.number(t, "SELECT count(*) FROM webhook_deliveries WHERE attempts = 1 AND leased_until > "+n.db.now()); left != 1 {
			t.Errorf("%d messages are held by the node that is gone, want 1", left)
		}
		sending(t, n.sender(t))
		n.run(t, "UPDATE webhook_deliveries SET leased_until = "+n.db.now()) // as if its lease had run out
		if second := r.next(t, models.WebhookStarted, session); second != first {
			t.Errorf("%+v, then %+v", first, second)
		}
		n.eventually(t, "it is written off", func() bool { return n.waiting(t) == 0 })
	})
}
