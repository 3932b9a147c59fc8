package middleware

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"
	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// bounded is a server with limits that a test can meet.
type bounded struct {
	*testing.T
	connections *Connections
	requests    *Requests
	address     string
}

func newBounded(t *testing.T, most, perAddress int, change func(*http.Server)) *bounded {
	t.Helper()
	t.Parallel()
	b := &bounded{T: t, connections: NewConnections(most, []netip.Prefix{netip.MustParsePrefix("127.0.0.9/32")}), requests: NewRequests()}
	b.connections.perAddress = perAddress
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b.address = listener.Addr().String()
	gin.SetMode(gin.ReleaseMode)
	engine := gin.New()
	engine.Use(b.requests.Count())
	op := huma.Operation{Method: http.MethodPost, Path: "/", MaxBodyBytes: -1, BodyReadTimeout: -1, Middlewares: huma.Middlewares{Body(slog.New(slog.DiscardHandler))}}
	huma.Register(humagin.New(engine, huma.DefaultConfig("test", "1")), op, func(context.Context, *struct{}) (*struct{}, error) { return nil, nil }) //nolint:nilnil // no answer
	server := &http.Server{Handler: engine, ConnState: b.connections.Changed, ReadHeaderTimeout: time.Minute}
	if change != nil {
		change(server)
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(b.connections.Limit(listener.(*net.TCPListener)))
	}()
	t.Cleanup(func() { _ = server.Close(); <-served })
	return b
}

// dial connects from an address of this machine and says something; nil = refused so soon that there was no connection.
func (b *bounded) dial(from, text string) net.Conn {
	b.Helper()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	conn, err := dialer.DialContext(b.Context(), "tcp", b.address)
	if errors.Is(err, syscall.ECONNRESET) {
		return nil
	}
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		b.Fatal(err)
	}
	_, _ = io.WriteString(conn, text) // one that is refused may be closed already
	return conn
}

const (
	wholeHead = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n"
	whole     = wholeHead + "{}"
)

// answered says whether the server answered, and with what; else the connection was closed.
func (b *bounded) answered(conn net.Conn) string {
	if conn == nil {
		return ""
	}
	line := make([]byte, len("HTTP/1.1 204"))
	_, _ = io.ReadFull(conn, line)
	return strings.Trim(string(line), "\x00")
}

// counts waits until a sample has a value, for the server counts after its peer has been told.
func (b *bounded) counts(sample, value string) {
	b.Helper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(b.connections, b.requests)
	given := promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		w := httptest.NewRecorder()
		given.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
		switch {
		case strings.Contains(w.Body.String(), "\n"+sample+" "+value+"\n"):
			return
		case time.Now().After(deadline):
			b.Fatalf("%s is not %s:\n%s", sample, value, w.Body)
		}
	}
}

const (
	open       = "belfry_connections_open"
	ofAddress  = `belfry_connections_refused_total{reason="address"}`
	ofAll      = `belfry_connections_refused_total{reason="descriptors"}`
	lateHeads  = `belfry_connections_cut_total{reason="head_late"}`
	largeHeads = `belfry_connections_cut_total{reason="head_too_large"}`
	lateBodies = "belfry_http_bodies_late_total"
)

// TestConnectionsOfOneAddress: beyond the limit they are closed, others get in, and what closes makes room.
func TestConnectionsOfOneAddress(t *testing.T) {
	b := newBounded(t, 100, 2, nil)
	first := b.dial("127.0.0.2", whole)
	for _, conn := range []net.Conn{first, b.dial("127.0.0.2", whole)} {
		if got := b.answered(conn); got != "HTTP/1.1 204" {
			t.Fatalf("answered %q", got)
		}
	}
	if got := b.answered(b.dial("127.0.0.2", whole)); got != "" {
		t.Errorf("one too many is answered %q", got)
	}
	b.counts(ofAddress, "1")
	// This machine and a trusted proxy speak for many.
	for _, from := range []string{"127.0.0.3", "127.0.0.1", "127.0.0.1", "127.0.0.1", "127.0.0.9", "127.0.0.9", "127.0.0.9"} {
		if got := b.answered(b.dial(from, whole)); got != "HTTP/1.1 204" {
			t.Errorf("from %s: answered %q", from, got)
		}
	}
	b.counts(open, "9")
	_ = first.Close()
	b.counts(open, "8")
	if got := b.answered(b.dial("127.0.0.2", whole)); got != "HTTP/1.1 204" {
		t.Errorf("where there is room again: answered %q", got)
	}
}

// TestConnectionsForgetAddresses: an address without a connection takes no memory, or whoever has many could take it all.
func TestConnectionsForgetAddresses(t *testing.T) {
	b := newBounded(t, 100, 2, nil)
	for _, from := range []string{"127.0.0.2", "127.0.0.3", "127.0.0.3"} {
		conn := b.dial(from, whole)
		b.answered(conn)
		_ = conn.Close()
	}
	b.counts(open, "0")
	b.connections.mu.Lock()
	defer b.connections.mu.Unlock()
	if left := len(b.connections.from); left != 0 {
		t.Errorf("%d addresses are kept", left)
	}
}

// TestConnectionsOfAll: the limit of the process holds for everybody.
func TestConnectionsOfAll(t *testing.T) {
	b := newBounded(t, 2, 100, nil)
	for range 2 {
		if got := b.answered(b.dial("127.0.0.1", whole)); got != "HTTP/1.1 204" {
			t.Fatalf("answered %q", got)
		}
	}
	if got := b.answered(b.dial("127.0.0.9", whole)); got != "" {
		t.Errorf("one too many is answered %q", got)
	}
	b.counts(ofAll, "1")
}

// TestConnectionsOfANetwork: who has one address of IPv6 has all of its network.
func TestConnectionsOfANetwork(t *testing.T) {
	t.Parallel()
	c := NewConnections(100, nil)
	for address, want := range map[string]string{
		"192.0.2.7": "192.0.2.7", "::ffff:192.0.2.7": "192.0.2.7", "2001:db8:1:2:3:4:5:6": "2001:db8:1:2::", "fe80::1%eth0": "fe80::",
		"127.0.0.1": "invalid IP", "::ffff:127.0.0.1": "invalid IP", "::1": "invalid IP", "127.0.0.2": "127.0.0.2",
	} {
		if got := c.counted(net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(address), 4711))).String(); got != want {
			t.Errorf("%s counts as %s, want %s", address, got, want)
		}
	}
}

// TestLateHeads: who does not say what is wanted is cut and counted; who has nothing to say any more is not.
func TestLateHeads(t *testing.T) {
	b := newBounded(t, 100, 100, func(s *http.Server) { s.ReadHeaderTimeout, s.IdleTimeout = 100*time.Millisecond, 100*time.Millisecond })
	for _, text := range []string{whole, "", "POST / HTTP/1.1\r\nHo"} {
		_, _ = io.Copy(io.Discard, b.dial("127.0.0.1", text)) // to its end
	}
	b.counts(open, "0")
	b.counts(lateHeads, "2")
}

// TestHeadsInTime: what the server does with its own deadlines makes nobody late.
func TestHeadsInTime(t *testing.T) {
	b := newBounded(t, 100, 100, nil)
	conn := b.dial("127.0.0.1", "")
	for range 20 { // after each of them the server breaks a read off
		_, _ = io.WriteString(conn, whole)
		if _, err := http.ReadResponse(bufio.NewReader(conn), nil); err != nil {
			t.Fatal(err)
		}
	}
	_ = conn.Close()
	b.counts(open, "0")
	b.counts(lateHeads, "0")
}

// TestLargeHeads: the server answers them by itself, and that is counted.
func TestLargeHeads(t *testing.T) {
	b := newBounded(t, 100, 100, func(s *http.Server) { s.MaxHeaderBytes = 1 << 10 })
	if got := b.answered(b.dial("127.0.0.1", "POST / HTTP/1.1\r\nX: "+strings.Repeat("x", 16<<10)+"\r\n\r\n")); got != "HTTP/1.1 431" {
		t.Errorf("answered %q", got)
	}
	b.counts(largeHeads, "1")
}

// TestLateBodies: who announces a body and does not send it is refused and counted.
func TestLateBodies(t *testing.T) {
	b := newBounded(t, 100, 100, func(s *http.Server) { s.ReadTimeout = 100 * time.Millisecond })
	if got := b.answered(b.dial("127.0.0.1", wholeHead+"{")); got != "HTTP/1.1 400" {
		t.Errorf("answered %q", got)
	}
	b.counts(lateBodies, "1")
	if got := b.answered(b.dial("127.0.0.1", whole)); got != "HTTP/1.1 204" {
		t.Errorf("answered %q", got)
	}
	b.counts(lateBodies, "1")
}

// TestDeclaredBodies: one that says itself that it is too large is refused before it is sent.
func TestDeclaredBodies(t *testing.T) {
	b := newBounded(t, 100, 100, nil)
	if got := b.answered(b.dial("127.0.0.1", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1048577\r\n\r\n")); got != "HTTP/1.1 413" {
		t.Errorf("answered %q", got)
	}
}

// TestTakenOverConnections: the server does not tell of the end of a connection that it has let go of, and it counts all the same.
func TestTakenOverConnections(t *testing.T) {
	b := newBounded(t, 100, 100, func(s *http.Server) {
		s.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				panic(err)
			}
			b := make([]byte, 1)
			_, _ = conn.Read(b)
			_, _ = conn.Read(b)
			_ = conn.Close()
			_ = conn.Close() // twice is once
		})
	})
	conn := b.dial("127.0.0.1", whole)
	b.counts(open, "1")
	_ = conn.Close()
	b.counts(open, "0")
}
