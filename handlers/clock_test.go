package handlers_test

import (
	"bufio"
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
			st := s.nobody().stream("/sse/clock" + query)
			if st.header.Get("Cache-Control") != "no-store" || st.header.Get("X-Accel-Buffering") != "no" {
				s.Errorf("header %v", st.header)
			}
			var last time.Time
			for range 2 {
				e := st.next()
				o := e.object(s)
				at := instant(s.T, o["now"].(string))
				if message, ok := o["message"].(string); !ok || message == "" || len(o) != 2 || e.name != "" || e.hasID || e.retry != "" {
					s.Errorf("tick %+v", e)
				}
				if apart := at.Sub(last); !last.IsZero() && (apart < 500*time.Millisecond || apart > 10*time.Second) {
					s.Errorf("ticks %v apart", apart)
				}
				last = at
			}
			st.close()
		}
		st := s.nobody().stream("/sse/clock?every=120")
		st.next()
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
