package conformance_test

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"belfry/bench/server"
)

// started is a node with a reader, and a key to publish with.
func started(t *testing.T, settings ...string) (node *server.Node, as, key *server.Caller) {
	t.Helper()
	node = server.New(t, server.SQLite(t), settings...)
	node.AddUser(reader)
	secret := node.AddKey("bench", "notices:write")
	node.MustStart()
	return node, node.Login(t, reader), node.ByKey(secret)
}

func send(t *testing.T, by *server.Caller, title string) string {
	t.Helper()
	return by.Publish(t, map[string]any{"to": map[string]any{"users": []string{reader}}, "title": title}).Cursor
}

// isNotice says whether an event is the notice of this title, under a name.
func isNotice(name, title string) func(event) bool {
	return func(e event) bool { return e.Type == name && strings.Contains(e.Data, `"title":"`+title+`"`) }
}

// TestCurl asks as a person at a terminal does.
func TestCurl(t *testing.T) {
	_, as, key := started(t)
	ticket := as.Ticket(t)
	ways := map[string][]string{
		"cookie":        {as.Base + "/sse/stream", "-H", "Cookie: " + as.Cookie},
		"ticket":        {as.Base + "/sse/stream?token=" + ticket},
		"bearer ticket": {as.Base + "/sse/stream", "-H", "Authorization: Bearer " + ticket},
	}
	for name, args := range ways {
		t.Run(name, func(t *testing.T) {
			lines := curl(t, args...)
			awaitLine(t, lines, "event: hello")
			title := "by " + name
			began := time.Now()
			send(t, key, title)
			awaitLine(t, lines, "event: notice")
			if data := awaitLine(t, lines, "data: "); !strings.Contains(data, title) {
				t.Errorf("got %q", data)
			}
			t.Logf("published and received after %v", time.Since(began))
		})
	}
	for name, header := range map[string]string{"no credential": "X: y", "a bad one beside a good cookie": "Authorization: Bearer x\nCookie: " + as.Cookie} {
		args := []string{"-s", "-o", "/dev/null", "-w", "%{http_code}", as.Base + "/sse/stream"}
		for line := range strings.SplitSeq(header, "\n") {
			args = append(args, "-H", line)
		}
		out, err := exec.CommandContext(t.Context(), "curl", args...).Output()
		if err != nil || string(out) != "401" {
			t.Errorf("%s: %s, %v", name, out, err)
		}
	}
}

// curl starts curl -N and gives the lines that it prints.
func curl(t *testing.T, args ...string) <-chan string {
	t.Helper()
	cmd := exec.CommandContext(context.Background(), "curl", append([]string{"-s", "-N"}, args...)...)
	output, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	process, err := server.Start(cmd, syscall.SIGKILL)
	if err != nil {
		t.Fatal(err)
	}
	lines := make(chan string, 1000)
	go func() {
		defer close(lines)
		for scanner := bufio.NewScanner(output); scanner.Scan(); {
			lines <- scanner.Text()
		}
	}()
	t.Cleanup(process.Kill)
	return lines
}

func awaitLine(t *testing.T, lines <-chan string, prefix string) string {
	t.Helper()
	deadline := time.After(patience)
	for {
		select {
		case line, open := <-lines:
			if !open {
				t.Fatalf("it ended before %q", prefix)
			}
			if strings.HasPrefix(line, prefix) {
				return line
			}
		case <-deadline:
			t.Fatalf("no %q", prefix)
		}
	}
}

// chromium opens a page of a host application and gives the book of what it reports.
func chromium(t *testing.T, h *host, address string) *received {
	t.Helper()
	book := &received{all: make(chan struct{})}
	go hand(t, h, book)
	program, _ := browser(t, "chromium", "chromium-browser", "google-chrome")
	script(t, book.add, "browser", address, "chromium", program)
	return book
}

func known(more ...string) []string {
	return append([]string{"user", reader, "password", server.Password}, more...)
}

func TestPlainEventSource(t *testing.T) {
	node, _, key := started(t)
	h := newHost(t, node.Base)
	book := chromium(t, h, page(h.URL, "eventsource", known()...))
	book.await(t, "hello", func(e event) bool { return e.Type == "hello" })
	began := time.Now()
	send(t, key, "ding")
	book.await(t, "the notice", isNotice("notice", "ding"))
	t.Logf("published and received after %v", time.Since(began))
}

func TestUnnamedNotices(t *testing.T) {
	node, _, key := started(t)
	h := newHost(t, node.Base)
	book := chromium(t, h, page(h.URL, "unnamed", known()...))
	book.await(t, "hello", func(e event) bool { return e.Type == "hello" })
	cursor := send(t, key, "ding")
	book.await(t, "the notice by onmessage", func(e event) bool { return isNotice("message", "ding")(e) && e.ID == cursor })
}

// TestEventSourceOfAnotherOrigin has the page on one port and Belfry on another: the same site, so
// that the cookie goes along, and another origin, so that Belfry has to allow it.
func TestEventSourceOfAnotherOrigin(t *testing.T) {
	h, stranger := newHost(t, ""), newHost(t, "")
	node, _, key := started(t, "CORS_ORIGINS="+h.URL)
	book := chromium(t, h, page(h.URL, "eventsource", known("belfry", node.Base)...))
	book.await(t, "hello", func(e event) bool { return e.Type == "hello" })
	send(t, key, "ding")
	book.await(t, "the notice", isNotice("notice", "ding"))

	other := chromium(t, stranger, page(stranger.URL, "eventsource", known("belfry", node.Base)...))
	other.await(t, "a refusal", func(e event) bool { return e.Type == "error" })
	if n := other.count("hello") + other.count("notice"); n > 0 {
		t.Errorf("a page of an origin that is not allowed got %d events", n)
	}
}

// TestFetchEventSource sends headers of its own, from a page of another origin: so there is a
// preflight, also for the Last-Event-ID of a resume.
func TestFetchEventSource(t *testing.T) {
	h := newHost(t, "")
	node, as, key := started(t, "CORS_ORIGINS="+h.URL, "STREAM_MAX_AGE=0", "TICKET_TTL=10m")
	book := chromium(t, h, page(h.URL, "fetch", "belfry", node.Base, "ticket", as.Ticket(t)))
	book.await(t, "hello", func(e event) bool { return e.Type == "hello" })
	send(t, key, "ding")
	book.await(t, "the notice", isNotice("notice", "ding"))
	node.Kill() // it comes back by itself, with the id as a header
	if err := node.Start(); err != nil {
		t.Fatal(err)
	}
	send(t, key, "dong")
	book.await(t, "a resume", func(e event) bool { return e.Type == "hello" && strings.Contains(e.Data, `"resumed":true`) })
	book.await(t, "the notice after it", isNotice("notice", "dong"))
}

// TestPauseIsKept has streams that the server rotates quickly: a page that does as docs/streams.md shows, goes away at pause
// and comes back at the time it names, must miss nothing.
func TestPauseIsKept(t *testing.T) {
	node, _, key := started(t, "STREAM_MAX_AGE=1s", "HEARTBEAT=200ms")
	h := newHost(t, node.Base)
	book := chromium(t, h, page(h.URL, "pause", known()...))
	book.await(t, "hello", func(e event) bool { return e.Type == "hello" })
	var cursors []string
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for pauses := 0; pauses < 3; { // published all the while, so some fall into each absence
		<-tick.C
		cursors = append(cursors, send(t, key, fmt.Sprintf("stroke %d", len(cursors)+1)))
		pauses = book.count("pause")
		if len(cursors) > 3000 {
			t.Fatal("no third pause in a minute")
		}
	}
	cursors = append(cursors, send(t, key, lastly))
	book.await(t, "the last notice", isNotice("notice", lastly))
	book.mu.Lock()
	defer book.mu.Unlock()
	checkPauses(t, book.events, cursors)
}

func (r *received) count(name string) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.events {
		if e.Type == name {
			n++
		}
	}
	return n
}

func checkPauses(t *testing.T, events []event, cursors []string) {
	t.Helper()
	var got []string
	hellos := 0
	for _, e := range events {
		switch e.Type {
		case "notice":
			got = append(got, e.ID)
		case "pause":
			if at, err := strconv.ParseInt(e.Data, 10, 64); err != nil || time.Since(time.UnixMilli(at)) > time.Minute {
				t.Errorf("pause says %q", e.Data)
			}
		case "hello":
			if hellos++; hellos > 1 && !strings.Contains(e.Data, `"resumed":true`) {
				t.Errorf("not resumed: %s", e.Data)
			}
		default:
			t.Errorf("got %+v", e)
		}
	}
	if strings.Join(got, " ") != strings.Join(cursors, " ") {
		t.Errorf("published %d notices in the order\n%v\ngot %d\n%v", len(cursors), cursors, len(got), got)
	}
}

// TestTicketIsNoSession makes sure that what the tests above open streams with opens nothing else.
func TestTicketIsNoSession(t *testing.T) {
	node, as, _ := started(t)
	node.ByKey(as.Ticket(t)).Must(t, http.StatusUnauthorized, http.MethodGet, "/api/v1/notices", nil, nil)
}
