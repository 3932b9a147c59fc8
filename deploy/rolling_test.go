package deploy_test

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"belfry/internal/testpg"
)

func TestMain(m *testing.M) { os.Exit(testpg.Run(m, nil)) }

// leaving refuses new streams as a node does that leaves, and counts them.
func leaving(t *testing.T, asked *atomic.Int32) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if got := r.Header["X-Belfry-Balancer"]; !slices.Equal(got, []string{"1"}) {
			t.Errorf("X-Belfry-Balancer is %q", got)
		}
		asked.Add(1)
		for name, value := range map[string]string{
			"Strict-Transport-Security": "max-age=99", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin", "Retry-After": "2",
			"Content-Security-Policy": "default-src 'self'", "Cache-Control": "no-store", "Access-Control-Allow-Origin": "https://a.example",
		} {
			w.Header().Set(name, value)
		}
		http.Error(w, "this node is leaving", http.StatusServiceUnavailable)
	}
}

func TestStreamGoesToANodeThatStays(t *testing.T) {
	var asked atomic.Int32
	p := startNginx(t, "", node(t, leaving(t, &asked)), node(t, streaming(nil)))
	for range 20 {
		response := p.get(t, "/sse/stream", "X-Belfry-Balancer: 0")
		if line := firstLine(t, response); response.StatusCode != 200 || line != "data: first\n" {
			t.Fatalf("%d %q though a node stays", response.StatusCode, line)
		}
	}
	if asked.Load() == 0 {
		t.Error("the node that leaves was never asked")
	}
}

// TestAllNodesLeave asks often: at first nodes refuse, then nginx knows of none that it could ask.
func TestAllNodesLeave(t *testing.T) {
	var asked atomic.Int32
	pair := []string{node(t, leaving(t, &asked)), node(t, leaving(t, &asked))}
	for name, nodes := range map[string][]string{"one": pair[:1], "two": pair, "one is gone": {pair[0], absentNode(t)}} {
		t.Run(name, func(t *testing.T) {
			asked.Store(0)
			p := startNginx(t, "", nodes...)
			for range 6 {
				response := p.get(t, "/sse/stream", "Origin: https://host.example")
				if text := body(t, response); response.StatusCode != 200 || response.Header.Get("Content-Type") != "text/event-stream" || !comeBack.MatchString(text) {
					t.Fatalf("%d %v %q", response.StatusCode, response.Header, text)
				}
				checkOwnHeaders(t, response)
				if got := response.Header.Values("Access-Control-Allow-Origin"); !slices.Equal(got, []string{"https://host.example"}) || response.Header.Get("Retry-After") != "" {
					t.Fatalf("%v", response.Header)
				}
			}
			if asked.Load() == 0 {
				t.Error("no node was asked")
			}
		})
	}
}

// startPair starts nginx before two nodes that share a database.
func startPair(t *testing.T) []*belfry {
	t.Helper()
	database := testpg.Database(t)
	addresses := []string{absentNode(t), absentNode(t)}
	p, program := startNginx(t, "", addresses...), binary(t)
	var pair []*belfry
	for i, address := range addresses {
		b := newBelfry(p, program, address, database)
		b.log = filepath.Join(p.dir, fmt.Sprintf("belfry-%d.log", i))
		b.environ = append(b.environ, "BELFRY_DRAIN=3s")
		b.up(t)
		pair = append(pair, b)
	}
	return pair
}

// reader holds a stream as an EventSource does, but comes back at once, however often it is sent away.
type reader struct {
	last   string   // the position
	visits []string // what each connection began with
	titles []string
	seen   map[string]bool
}

// read goes on until ctx ends. What each connection begins with and each title go to got.
func (r *reader) read(ctx context.Context, b *belfry, cookie string, got chan<- string) error {
	client := b.client()
	defer client.CloseIdleConnections()
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, b.base+"/sse/stream", nil)
		if err != nil {
			return err
		}
		request.Header.Set("Cookie", cookie)
		if r.last != "" {
			request.Header.Set("Last-Event-ID", r.last)
		}
		response, err := client.Do(request)
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("status %s", response.Status)
		}
		r.take(ctx, response, got)
		_ = response.Body.Close()
	}
}

func pass(ctx context.Context, word string, got chan<- string) {
	select {
	case got <- word:
	case <-ctx.Done():
	}
}

// take reads one connection to its end.
func (r *reader) take(ctx context.Context, response *http.Response, got chan<- string) {
	name, data, first := "", "", true
	for lines := bufio.NewScanner(response.Body); lines.Scan(); {
		field, value, _ := strings.Cut(lines.Text(), ": ")
		switch field {
		case "event":
			if name = value; first {
				r.visits, first = append(r.visits, name), false
				pass(ctx, name, got)
			}
		case "data":
			data = value
		case "id":
			r.last = value
			if name == "notice" && !r.seen[value] {
				r.seen[value] = true
				_, title, _ := strings.Cut(data, `"title":"`)
				title, _, _ = strings.Cut(title, `"`)
				r.titles = append(r.titles, title)
				pass(ctx, title, got)
			}
		}
	}
	if first && ctx.Err() == nil {
		r.visits = append(r.visits, "nothing")
	}
}

// readers is how many read at the same time.
const readers = 12

// audience reads what one person is sent, all of them the same.
type audience struct {
	*belfry
	cookie string
	all    [readers]*reader
	got    chan string
	sent   []string
	leave  func() // returns when nobody reads any more
}

// gather has readers read in one of the ways there are, and returns when each has a stream.
func (b *belfry) gather(t *testing.T, cookie string, read func(*reader, context.Context, *belfry, string, chan<- string) error) *audience {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	a := &audience{belfry: b, cookie: cookie, got: make(chan string, readers)}
	var reading sync.WaitGroup
	for i := range a.all {
		a.all[i] = &reader{seen: map[string]bool{}}
		reading.Go(func() {
			if err := read(a.all[i], ctx, b, cookie, a.got); err != nil {
				t.Errorf("reader %d: %v", i, err)
			}
		})
	}
	a.leave = func() {
		cancel()
		reading.Wait()
	}
	t.Cleanup(a.leave)
	a.await(t, "hello")
	return a
}

// await waits until each reader has said the word.
func (a *audience) await(t *testing.T, word string) {
	t.Helper()
	missing, deadline := readers, time.After(patience)
	for missing > 0 {
		select {
		case said := <-a.got:
			if said == word {
				missing--
			}
		case <-deadline:
			t.Fatalf("%d readers have not got %q", missing, word)
		}
	}
}

// tell publishes, and waits until each reader has it.
func (a *audience) tell(t *testing.T, title string) {
	t.Helper()
	a.sent = append(a.sent, title)
	a.post(t, "/api/v1/notices", a.cookie, `{"to":{"users":["admin"]},"title":"`+title+`"}`, http.StatusCreated)
	a.await(t, title)
}

// part sends the readers home, and wants that none was told to wait, and that all have all there was, in order.
func (a *audience) part(t *testing.T) (visits int) {
	t.Helper()
	a.leave()
	for i, r := range a.all {
		visits += len(r.visits)
		if slices.ContainsFunc(r.visits, func(first string) bool { return first != "hello" }) {
			t.Errorf("reader %d came to %q", i, r.visits)
		}
		if !slices.Equal(r.titles, a.sent) {
			t.Errorf("reader %d got %q of %q", i, r.titles, a.sent)
		}
	}
	return visits
}

// awaitUse waits until nginx sends requests to a node again that was away.
func awaitUse(t *testing.T, b *belfry) {
	t.Helper()
	used := func() int { return strings.Count(b.logs(t), `"node":"`+b.address+`","node_status":"200"`) }
	before := used()
	tick, deadline := time.NewTicker(50*time.Millisecond), time.After(patience)
	defer tick.Stop()
	for used() == before {
		b.get(t, "/readyz")
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("nginx does not use %s again", b.address)
		}
	}
}

// TestRollingRestart restarts two nodes, one after the other, under readers who come back at once when they are
// sent away. Each finds a stream at the other node the first time it asks, sees no status but 200, and misses nothing.
func TestRollingRestart(t *testing.T) {
	pair := startPair(t)
	a := pair[0].gather(t, pair[0].login(t), (*reader).read)
	a.tell(t, "before")
	for i, b := range pair {
		var stopping sync.WaitGroup
		stopping.Go(func() { b.down(t) })
		a.tell(t, "while node "+strconv.Itoa(i)+" leaves")
		stopping.Wait()
		a.tell(t, "without node "+strconv.Itoa(i))
		b.up(t)
		awaitUse(t, b)
		a.tell(t, "with node "+strconv.Itoa(i)+" again")
	}
	if visits := a.part(t); visits < readers+readers/2 {
		t.Errorf("%d visits of %d readers: the nodes did not send them away", visits, readers)
	}
	if !strings.Contains(pair[0].logs(t), `"node_status":"503, 200"`) {
		t.Error("no node that was leaving was asked first")
	}
}
