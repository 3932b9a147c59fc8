package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestEventReaderFollowsTheStandard(t *testing.T) {
	for name, tt := range map[string]struct{ text, want string }{
		"all fields":       {"id: e-1\nevent: notice\nretry: 1500\ndata: a\ndata: b\n\n", "e-1 notice a|b 1.5s;"},
		"line ends":        {"data: a\r\rdata: b\r\n\r\ndata: c\n\n", "  a 0s;  b 0s;  c 0s;"},
		"byte order mark":  {"\ufeffdata: a\n\n", "  a 0s;"},
		"comments":         {": x\n:\ndata: a\n\n: y\n\n", "  a 0s;"},
		"no space":         {"data:a\ndata:  b\n\n", "  a| b 0s;"},
		"a name alone":     {"data\ndata\n\n", "  | 0s;"},
		"unknown fields":   {"datum: a\nevent: x\n\ndata: b\n\n", "  b 0s;"},
		"cut off":          {"data: a\n\ndata: b\n", "  a 0s;"},
		"NUL in an id":     {"id: a\x00b\ndata: a\n\n", "  a 0s;"},
		"no number":        {"retry: 1s\nretry: -5\ndata: a\n\n", "  a 0s;"},
		"a colon in it":    {"data: a: b\n\n", "  a: b 0s;"},
		"retry by itself":  {"retry: 2000\n\n", "   2s;"},
		"an id by itself":  {"id: e-3\n\n", "e-3   0s;"},
		"empty lines only": {"\n\n\r\n", ""},
	} {
		for _, reader := range []io.Reader{strings.NewReader(tt.text), &oneByOne{tt.text}} {
			r, got := newEventReader(reader), ""
			for {
				b, err := r.next()
				if err != nil {
					if !errors.Is(err, io.EOF) {
						t.Errorf("%s: %v", name, err)
					}
					break
				}
				got += fmt.Sprintf("%s %s %s %v;", b.id, b.name, strings.ReplaceAll(b.data, "\n", "|"), b.retry)
			}
			if got != tt.want {
				t.Errorf("%s: %q, want %q", name, got, tt.want)
			}
		}
	}
	for _, text := range []string{"data: " + strings.Repeat("x", 2<<20), strings.Repeat("data: "+strings.Repeat("x", 1<<10)+"\n", 2<<10)} {
		if _, err := newEventReader(strings.NewReader(text)).next(); !errors.Is(err, errLongEvent) {
			t.Errorf("an endless event: %v", err)
		}
	}
}

// oneByOne gives one byte at a time.
type oneByOne struct{ rest string }

func (o *oneByOne) Read(p []byte) (int, error) {
	if o.rest == "" {
		return 0, io.EOF
	}
	p[0], o.rest = o.rest[0], o.rest[1:]
	return 1, nil
}

// TestEventReaderDoesNotHoldBack: a CR ends a line though LF may follow.
func TestEventReaderDoesNotHoldBack(t *testing.T) {
	in, out := io.Pipe()
	defer in.Close()
	go func() { _, _ = io.WriteString(out, "data: a\r\r") }()
	if b, err := newEventReader(in).next(); err != nil || b.data != "a" {
		t.Errorf("%+v, %v", b, err)
	}
}

// script is a server whose nth stream is answered by streams[n], the last one again and again. What each
// request had is told.
type script struct {
	streams []http.HandlerFunc
	minted  atomic.Int64

	mu    sync.Mutex
	asked []string // "ticket last"; guarded by mu
}

func (s *script) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/sse/stream" {
		n := s.minted.Add(1)
		ok(201, fmt.Sprintf(`{"token": "t%d", "expires_in_ms": 60000}`, n))(w, r)
		return
	}
	s.mu.Lock()
	s.asked = append(s.asked, strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")+" "+r.Header.Get("Last-Event-ID"))
	stream := s.streams[min(len(s.asked), len(s.streams))-1]
	s.mu.Unlock()
	stream(w, r)
}

// says writes a stream and ends it.
func says(text string) http.HandlerFunc { return answer(200, "text/event-stream", text) }

// hangs writes a stream and then nothing, as a dead connection does.
func hangs(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		says(text)(w, r)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}
}

func hello(id string) string {
	return "id: " + id + "\nretry: 2000\nevent: hello\ndata: {\"heartbeat_ms\": 100}\n\n"
}

func notice(id string) string { return "id: " + id + "\nevent: notice\ndata: {}\n\n" }

// follow tails a script until an error, or a notice with the id "end-1", and says what came.
func follow(t *testing.T, last string, streams ...http.HandlerFunc) (*script, string, error) {
	t.Helper()
	s := &script{streams: streams}
	server := httptest.NewServer(s)
	defer server.Close()
	defer server.CloseClientConnections()
	c, err := New(server.URL, "k")
	if err != nil {
		t.Fatal(err)
	}
	tail := newTail(c.http, c.base, TailOptions{LastID: last}, func(ctx context.Context) (*Ticket, error) { return c.UserTicket(ctx, "anna") })
	tail.backoff, tail.heartbeat = time.Microsecond, 100*time.Millisecond
	got := ""
	for e, err := range tail.events(t.Context()) {
		if err != nil {
			return s, got, err
		}
		if e.ID == "end-1" {
			return s, got, nil
		}
		got += e.Name + " " + e.ID + ";"
	}
	return s, got, nil
}

func TestTailComesBack(t *testing.T) {
	end := says(hello("e-9") + notice("end-1"))
	for name, tt := range map[string]struct {
		last    string
		streams []http.HandlerFunc
		got     string
		asked   string
	}{
		"from where it was, each once": {"", []http.HandlerFunc{says(hello("e-5") + notice("e-6") + notice("e-7")), says(hello("e-7") + notice("e-6") + notice("e-7") + notice("e-10")), end},
			"hello e-5;notice e-6;notice e-7;hello e-7;notice e-10;hello e-9;", "t1 ,t1 e-7,t1 e-10"},
		"from where it was told": {"e-3", []http.HandlerFunc{end}, "hello e-9;", "t1 e-3"},
		"after a cut block":      {"", []http.HandlerFunc{says(hello("e-5") + "id: e-6\nevent: notice\nda"), end}, "hello e-5;hello e-9;", "t1 ,t1 e-5"},
		"a dead connection":      {"", []http.HandlerFunc{hangs(hello("e-5")), end}, "hello e-5;hello e-9;", "t1 ,t1 e-5"},
		"reset":                  {"a-1", []http.HandlerFunc{says(hello("e-5") + "id: e-5\nevent: reset\ndata: {}\n\n" + notice("e-6")), end}, "hello e-5;reset e-5;notice e-6;hello e-9;", "t1 a-1,t1 e-6"},
		"pause and ping are ours": {"", []http.HandlerFunc{says(hello("e-5") + "event: ping\ndata: {}\n\nretry: 1\nevent: pause\ndata: 99\n\n"), end},
			"hello e-5;hello e-9;", "t1 ,t1 e-5"},
		"no node behind the proxy": {"", []http.HandlerFunc{says(": no node answers\nretry: 1\n\n"), end}, "hello e-9;", "t1 ,t1 "},
		"a ticket that ran out":    {"", []http.HandlerFunc{says(hello("e-5")), refuse(401, `{}`), end}, "hello e-5;hello e-9;", "t1 ,t1 e-5,t2 e-5"},
		"a busy proxy":             {"", []http.HandlerFunc{answer(502, "text/html", "<h1>"), end}, "hello e-9;", "t1 ,t1 "},
		"a new epoch":              {"b-70", []http.HandlerFunc{says(notice("b-69") + hello("e-1") + notice("e-2")), end}, "hello e-1;notice e-2;hello e-9;", "t1 b-70,t1 e-2"},
	} {
		s, got, err := follow(t, tt.last, tt.streams...)
		if err != nil || got != tt.got || strings.Join(s.asked, ",") != tt.asked {
			t.Errorf("%s: %v, %q asked by %q, want %q asked by %q", name, err, got, s.asked, tt.got, tt.asked)
		}
	}
}

func TestTailEnds(t *testing.T) {
	ended := says(hello("e-5") + "id: e-6\nevent: lock\ndata: {\"state\": \"ended\"}\n\n")
	if s, got, err := follow(t, "", ended); !errors.Is(err, ErrSessionEnded) || got != "hello e-5;lock e-6;" || len(s.asked) != 1 {
		t.Errorf("%v, %q, %q", err, got, s.asked)
	}
	if _, _, err := follow(t, "", answer(204, "", "")); !errors.Is(err, ErrSessionEnded) {
		t.Errorf("204: %v", err)
	}
	for name, handler := range map[string]http.HandlerFunc{
		"refused again":   refuse(401, `{"code": "unauthenticated"}`),
		"forbidden":       refuse(403, `{"code": "forbidden"}`),
		"not Belfry":      answer(200, "text/html", "<h1>"),
		"an endless text": says("data: " + strings.Repeat("x", 2<<20)),
	} {
		if _, _, err := follow(t, "", handler); err == nil {
			t.Errorf("%s: it went on", name)
		}
	}
	s := &script{streams: []http.HandlerFunc{hangs(hello("e-1"))}}
	server := httptest.NewServer(s)
	defer server.Close()
	c, err := New(server.URL, "k")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for e, err := range c.Tail(ctx, "anna", TailOptions{}) {
		if err == nil && e.Name == EventHello {
			cancel()
		} else if !errors.Is(err, context.Canceled) {
			t.Errorf("%+v, %v", e, err)
		}
	}
	seen := 0
	for _, err := range c.Tail(t.Context(), "anna", TailOptions{}) {
		if seen++; err != nil || seen > 1 {
			t.Errorf("after the caller had enough: %v", err)
		}
		if seen == 1 {
			break
		}
	}
}

// TestTailWaitsAsItIsAsked for: no longer than five minutes, and by chance where it is not.
func TestTailWaitsAsItIsAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tail := newTail(&http.Client{}, "http://h", TailOptions{}, nil)
		for asked, want := range map[time.Duration]time.Duration{0: 0, 7 * time.Second: 7 * time.Second, time.Hour: maxPause} {
			if tail.pause = asked; tail.wait(nil) != want {
				t.Errorf("asked for %v it waits %v", asked, tail.wait(nil))
			}
		}
		tail.pause = -1
		for failed := range 100 {
			tail.failed = failed
			if got := tail.wait(nil); got < 0 || got > min(time.Second<<min(failed, 5), maxReturn) {
				t.Errorf("after %d failures it waits %v", failed, got)
			}
		}
		if _, err := tail.take(block{name: "pause", data: fmt.Sprint(time.Now().Add(3 * time.Second).UnixMilli())}, nil); err != nil || tail.pause != 3*time.Second {
			t.Errorf("a pause without retry: %v, %v", tail.pause, err)
		}
	})
}

func TestSession(t *testing.T) {
	cookie := func(value string) []string {
		return []string{"Set-Cookie", "__Host-belfry=" + value + "; Path=/; Secure; HttpOnly"}
	}
	var mu sync.Mutex
	seen := []string{} // guarded by mu
	answers := []http.HandlerFunc{
		answer(200, "application/json", `{}`, cookie("one")...),
		ok(201, `{"token": "t", "expires_in_ms": 1}`),
		answer(200, "application/json", `{}`, cookie("two")...),
		answer(204, "", "", "Set-Cookie", "other=1"),
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, r.URL.Path+" "+r.Header.Get("Cookie")+" "+string(body))
		answers[len(seen)-1](w, r)
	}))
	defer server.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s, err := SignIn(ctx, server.URL, Credentials{Username: "anna", Password: "p"})
	if err != nil {
		t.Fatal(err)
	}
	ticket, err := s.Ticket(ctx)
	if err != nil || ticket.Token != "t" {
		t.Errorf("%+v, %v", ticket, err)
	}
	if err := s.Unlock(ctx, "p"); err != nil {
		t.Error(err)
	}
	cancel()
	if err := s.Logout(ctx); err != nil {
		t.Error(err)
	}
	want := `/api/v1/login  {"username":"anna","password":"p"},/api/v1/stream-tickets __Host-belfry=one ,` +
		`/api/v1/session/unlock __Host-belfry=one {"password":"p"},/api/v1/logout __Host-belfry=two `
	if got := strings.Join(seen, ","); got != want {
		t.Errorf("%s", got)
	}
	plain := httptest.NewServer(ok(200, `{}`))
	defer plain.Close()
	if _, err := SignIn(t.Context(), plain.URL, Credentials{}); err == nil {
		t.Error("a sign-in without a cookie")
	}
}
