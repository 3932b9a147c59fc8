package handlers_test

import (
	"bufio"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"belfry/handlers"
	"belfry/services"
	"belfry/services/hub"
)

// TestClock ticks for anybody.
func TestClock(t *testing.T) {
	onEach(t, nil, func(s *site) {
		for _, query := range []string{"0", "-1", "121", "1.5", "", "abc", "1s", "99999999999999999999"} {
			s.nobody().get("/sse/clock?every="+query).refused(422, "invalid")
		}
		for _, query := range []string{"", "?every=1"} {
			began := time.Now()
			st := s.nobody().stream("/sse/clock" + query)
			if st.header.Get("Cache-Control") != "no-store" || st.header.Get("X-Accel-Buffering") != "no" {
				s.Errorf("header %v", st.header)
			}
			for n := range 2 {
				e := st.next()
				o := e.object(s)
				at := instant(s.TB, o["now"].(string))
				if message, ok := o["message"].(string); !ok || message == "" || len(o) != 2 || e.name != "" || e.hasID || e.retry != "" {
					s.Errorf("tick %+v", e)
				}
				// A tick may be late, and the next one come soon after; none is early.
				if after := at.Sub(began.Truncate(time.Millisecond)); after < time.Duration(n)*time.Second {
					s.Errorf("tick %d after %v", n, after)
				}
			}
			st.close()
		}
		st := s.nobody().stream("/sse/clock?every=120")
		st.next()
	})
}

// TestClockEchoes: a client that asks learns how its request came in, and of what it sent in confidence no value.
func TestClockEchoes(t *testing.T) {
	onEach(t, nil, func(s *site) {
		s.nobody().get("/sse/clock?echo=maybe").refused(422, "invalid")
		st := s.nobody().with("Authorization", "Bearer canary-1").with("Last-Event-ID", "canary-2").stream("/sse/clock?echo=1")
		e := st.next()
		text, isComment := strings.CutPrefix(e.name, "not a field: : ")
		if !isComment || strings.Contains(e.name, "canary") {
			s.Fatalf("%+v", e)
		}
		o := event{data: text}.object(s)
		if o["protocol"] != "HTTP/1.1" || o["host"] == "" || o["heartbeat_ms"].(float64) <= 0 || fmt.Sprint(o["headers"]) != "[Authorization Last-Event-ID]" {
			s.Errorf("%v", o)
		}
		if tick := st.next(); tick.object(s)["now"] == nil {
			s.Errorf("%+v", tick)
		}
		st.close()
	})
}

// TestClockFills writes more than sockets hold, to one client at a time.
func TestClockFills(t *testing.T) {
	onEach(t, nil, func(s *site) {
		s.nobody().get("/sse/clock?fill=2").refused(422, "invalid")
		open := func() *bufio.Reader {
			req, err := http.NewRequestWithContext(s.Context(), http.MethodGet, s.url+"/sse/clock?fill=1", nil)
			if err != nil {
				s.Fatal(err)
			}
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				s.Fatal(err)
			}
			s.Cleanup(func() { _ = resp.Body.Close() })
			return bufio.NewReader(resp.Body)
		}
		next := func(r *bufio.Reader) string {
			for {
				line, err := r.ReadString('\n')
				if err != nil {
					s.Fatal(err)
				}
				if line != "\n" {
					return line
				}
			}
		}
		first := open()
		next(first)
		if block := next(first); !strings.HasPrefix(block, ": filler 1") {
			s.Fatalf("%.40q", block)
		}
		second := open()
		for range 2 {
			if line := next(second); !strings.HasPrefix(line, "data: ") {
				s.Errorf("a second client is filled too: %.40q", line)
			}
		}
		size := 0
		for line := next(first); strings.HasPrefix(line, ": "); line = next(first) {
			size += len(line)
		}
		if size < 30<<20 {
			s.Errorf("%d bytes of filler", size)
		}
	})
}

// instantWriter takes an answer without a network, so that virtual time can pass.
type instantWriter struct {
	header http.Header
	body   strings.Builder
}

func (w *instantWriter) Header() http.Header              { return w.header }
func (w *instantWriter) WriteHeader(int)                  {}
func (w *instantWriter) Write(b []byte) (int, error)      { return w.body.Write(b) }
func (w *instantWriter) Flush()                           {}
func (w *instantWriter) SetWriteDeadline(time.Time) error { return nil }
func (w *instantWriter) SetReadDeadline(time.Time) error  { return nil }

// TestClockEnds: it ticks sixty times and then the answer ends, in a time that is not ours.
func TestClockEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := slog.New(slog.DiscardHandler)
		server := &handlers.Server{Log: log, Health: &handlers.Health{}, Streams: services.NewStreams(nil, nil, hub.New(0, 1), nil, nil, services.StreamSettings{}, log)}
		router, err := server.Router()
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		w := &instantWriter{header: http.Header{}}
		router.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/sse/clock?every=120", nil))
		if took := time.Since(began); took != 59*120*time.Second {
			t.Errorf("the clock ran for %v", took)
		}
		events := make(chan event, 100)
		read(bufio.NewReader(strings.NewReader(w.body.String())), events)
		if n := len(events); n != 60 {
			t.Errorf("%d ticks, want 60", n)
		}
	})
}
