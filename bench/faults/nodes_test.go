package faults_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"belfry/bench/report"
	"belfry/bench/server"
	"belfry/bench/stream"
	"belfry/internal/testpg"
)

// watch opens a stream and hands on what comes, until the test ends.
func watch(t *testing.T, node *server.Node, as *server.Caller) <-chan stream.Event {
	t.Helper()
	events := make(chan stream.Event, 10_000)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = stream.New(node.Base, "/sse/stream", as.Cookie).Follow(ctx, func(e stream.Event) bool {
			events <- e
			return true
		})
	}()
	t.Cleanup(func() { cancel(); <-done })
	awaitEvent(t, events, "hello", "")
	return events
}

// awaitEvent drops events until one of the name comes whose data has the text.
func awaitEvent(t *testing.T, events <-chan stream.Event, name, text string) stream.Event {
	t.Helper()
	deadline := time.After(patience)
	for {
		select {
		case e := <-events:
			if e.Name == name && strings.Contains(e.Data, text) {
				return e
			}
		case <-deadline:
			t.Fatalf("no %s with %q", name, text)
		}
	}
}

// pair starts two nodes on one PostgreSQL, with two people and a key.
func pair(t *testing.T, database string, settings ...string) (a, b *server.Node, key string) {
	t.Helper()
	a, b = server.New(t, database, settings...), server.New(t, database, settings...)
	a.AddUser("anna", "ben")
	key = a.AddKey("bench", "notices:write,sessions:write")
	a.MustStart()
	b.MustStart()
	return a, b, key
}

// Security: S10, L3, L18
func TestTwoNodes(t *testing.T) {
	a, b, secret := pair(t, testpg.Database(t), "HEARTBEAT=500ms")
	onA, key := a.Login(t, "anna"), a.ByKey(secret)
	onB := onA.At(b)
	atA, atB := watch(t, a, onA), watch(t, b, onB)

	t.Run("publish on one, receive on the other", func(t *testing.T) { measureDelay(t, key, atA, atB) })
	t.Run("lock on one, the other is locked", func(t *testing.T) {
		began := time.Now()
		onA.Must(t, http.StatusOK, http.MethodPost, "/api/v1/session/lock", nil, nil)
		awaitEvent(t, atB, "lock", `"state":"locked"`) // on a busy machine it takes a moment to hear of it
		onB.Must(t, http.StatusLocked, http.MethodGet, "/api/v1/notices", nil, nil)
		t.Logf("the other node's stream said so after %v", time.Since(began))
		key.Publish(t, map[string]any{"to": map[string]any{"users": []string{"anna"}}, "title": "withheld"})
		cookie := unlock(t, onB)
		onA.Must(t, http.StatusUnauthorized, http.MethodGet, "/api/v1/notices", nil, nil) // the cookie was replaced
		onA.Cookie, onB.Cookie = cookie, cookie
		for _, events := range []<-chan stream.Event{atA, atB} {
			if first := nextNews(t, events); first.Name != "lock" || !strings.Contains(first.Data, `"state":"active"`) {
				t.Errorf("while locked came %+v", first)
			}
			awaitEvent(t, events, "notice", "withheld")
		}
		onA.Must(t, http.StatusOK, http.MethodGet, "/api/v1/notices", nil, nil)
	})
	t.Run("revoke on one, the other ends it", func(t *testing.T) {
		elsewhere := b.Login(t, "anna")
		atElsewhere := watch(t, b, elsewhere)
		onA.Must(t, http.StatusNoContent, http.MethodDelete, "/api/v1/sessions", nil, nil)
		awaitEvent(t, atElsewhere, "lock", `"reason":"revoked"`)
		elsewhere.Must(t, http.StatusUnauthorized, http.MethodGet, "/api/v1/notices", nil, nil)
		onB.Must(t, http.StatusOK, http.MethodGet, "/api/v1/notices", nil, nil)
	})
	t.Run("kill one, the other goes on", func(t *testing.T) {
		a.Kill()
		key.At(b).Publish(t, map[string]any{"to": map[string]any{"users": []string{"anna"}}, "title": "alone"})
		awaitEvent(t, atB, "notice", "alone")
	})
}

// nextNews is the next event but for pings.
func nextNews(t *testing.T, events <-chan stream.Event) stream.Event {
	t.Helper()
	deadline := time.After(patience)
	for {
		select {
		case e := <-events:
			if e.Name != "ping" && (e.Name != "lock" || !strings.Contains(e.Data, `"state":"locked"`)) {
				return e
			}
		case <-deadline:
			t.Fatal("nothing came")
		}
	}
}

func unlock(t *testing.T, c *server.Caller) (cookie string) {
	t.Helper()
	answer := c.Must(t, http.StatusOK, http.MethodPost, "/api/v1/session/unlock", map[string]string{"password": server.Password}, nil)
	cookie, _, _ = strings.Cut(answer.Header.Get("Set-Cookie"), ";")
	if cookie == "" || cookie == c.Cookie {
		t.Fatalf("unlock gave the cookie %q", cookie)
	}
	return cookie
}

// measureDelay publishes one at a time on a node and waits for it at both.
func measureDelay(t *testing.T, key *server.Caller, same, other <-chan stream.Event) {
	const times = 100
	var here, there []time.Duration
	for i := range times {
		title := fmt.Sprintf("stroke %d.", i)
		began := time.Now()
		published := key.Publish(t, map[string]any{"to": map[string]any{"users": []string{"anna"}}, "title": title})
		e := awaitEvent(t, same, "notice", title)
		here = append(here, time.Since(began))
		f := awaitEvent(t, other, "notice", title)
		there = append(there, time.Since(began))
		if e.ID != published.Cursor || f != e {
			t.Errorf("published as %v, came as %+v and %+v", published, e, f)
		}
	}
	slices.Sort(here)
	slices.Sort(there)
	at := func(d []time.Duration, share float64) string {
		return fmt.Sprintf("%.1f", float64(d[int(share*(times-1))].Microseconds())/1000)
	}
	report.Write(t, "delays", fmt.Sprintf("publish on A until received, ms, of %d: on A median %s, p99 %s; on B median %s, p99 %s\n",
		times, at(here, 0.5), at(here, 0.99), at(there, 0.5), at(there, 0.99)))
}

// TestSecondProcessOnTheSameFile has two servers and a command want one SQLite file.
func TestSecondProcessOnTheSameFile(t *testing.T) {
	file := server.SQLite(t)
	first, second := server.New(t, file), server.New(t, file)
	first.MustStart()
	for _, args := range [][]string{{"serve"}, {"user", "list"}} {
		_, said, code := second.Run("", args...)
		if want := fmt.Sprintf("is held by process %d", first.PID()); code != 1 || !strings.Contains(said, want) {
			t.Errorf("%v: exit %d, %q; want 1 and %q", args, code, said, want)
		}
	}
	first.Kill()
	second.MustStart() // a crash leaves nothing behind that would keep the next one out
}

func TestPortInUse(t *testing.T) {
	first := server.New(t, server.SQLite(t))
	first.MustStart()
	second := server.New(t, server.SQLite(t), "LISTEN="+first.Address())
	_, said, code := second.Run("", "serve")
	said = strings.TrimSpace(said)
	if code != 1 || strings.Contains(said, "\n") || !strings.Contains(said, first.Address()) || !strings.Contains(said, "in use") {
		t.Errorf("exit %d, %q; want 1 and one line that says so", code, said)
	}
	t.Log(said)
}
