package cut_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"belfry/bench/cut"
)

func TestProxyCutsStreamsAtTheByte(t *testing.T) {
	text := strings.Repeat("0123456789", 1000)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, text)
	}))
	defer server.Close()
	head := int64(len(raw(t, server.Listener.Addr().String(), "/sse/x")) - len(text))
	p := cut.New(t, server.Listener.Addr().String(), 2, []int64{head + 4321, 2 * (head + 4321)})
	if got := raw(t, p.Address, "/api/x"); int64(len(got)) != head+int64(len(text)) {
		t.Errorf("no stream, and cut after %d bytes", len(got))
	}
	for range 2 {
		if got := raw(t, p.Address, "/sse/x"); int64(len(got)) > head+4321 || !strings.Contains(got, text[:4000]) {
			t.Errorf("cut after %d bytes, want %d", len(got), head+4321)
		}
	}
	if got := raw(t, p.Address, "/sse/x"); !strings.HasSuffix(got, text) || p.Cuts() != 2 {
		t.Errorf("%d cuts, then %d bytes", p.Cuts(), len(got))
	}
}

func TestPointsAreApart(t *testing.T) {
	for seed := range uint64(100) {
		last := int64(1000 - 500)
		for _, at := range cut.Points(seed, 5, 1000, 100_000, 500) {
			if at < last+500 || at > 100_000 {
				t.Fatalf("seed %d: a cut at %d after %d", seed, at, last)
			}
			last = at
		}
	}
}

func TestProxySparesIDs(t *testing.T) {
	const text = "event: a\ndata: b\nid: e-12345\n\nevent: a\n"
	whole := strings.Index(text, "\n\n") + 2
	for at := range text {
		for _, piece := range []int{len(text), 1, 7} {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Length", strconv.Itoa(len(text))) // without chunks, whose heads would stand within an id
				for rest := text; rest != ""; rest = rest[min(piece, len(rest)):] {
					_, _ = io.WriteString(w, rest[:min(piece, len(rest))])
					w.(http.Flusher).Flush()
				}
			}))
			head := len(raw(t, server.Listener.Addr().String(), "/sse/x")) - len(text)
			p := cut.New(t, server.Listener.Addr().String(), 1, []int64{int64(head + at)})
			p.SpareIDs = true
			got := raw(t, p.Address, "/sse/x")
			_, got, _ = strings.Cut(got, "\r\n\r\n")
			if id := strings.Index(got, "id: "); id >= 0 && len(got) < whole {
				t.Errorf("cut at %d, %d bytes at a time: %q", at, piece, got)
			}
			if p.Cuts() != 1 || len(got) == len(text) {
				t.Errorf("cut at %d, %d bytes at a time: %d cuts, %q", at, piece, p.Cuts(), got)
			}
			server.Close()
		}
	}
}
