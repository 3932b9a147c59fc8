package hub_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http/httputil"
	"strings"
	"testing"
	"time"

	"belfry/services/hub"
)

// pair is both ends of a connection over the loopback.
func pair(t testing.TB) (server, client net.Conn) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	if client, err = net.Dial("tcp", listener.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if server, err = listener.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = client.Close(), server.Close() })
	return server, client
}

// owner is who opened a stream: nothing is to be replayed for it.
type owner struct {
	hub    *hub.Hub
	conn   *hub.Conn
	closed chan struct{}
}

func (o *owner) Feed() { o.hub.Replay(o.conn, 0) }

func (o *owner) Closed() {
	o.hub.Remove(o.conn)
	close(o.closed)
}

// attach gives a live connection a socket, and the other end of it behind the first text.
func attach(t testing.TB, h *hub.Hub, c *hub.Conn, prepare ...func(server, client net.Conn)) (client net.Conn, body io.Reader, o *owner) {
	t.Helper()
	server, client := pair(t)
	for _, p := range prepare {
		p(server, client)
	}
	o = &owner{hub: h, conn: c, closed: make(chan struct{})}
	if err := c.Attach(server, []byte("HEAD\n"), []byte("first"), o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = client.Close()
		<-o.closed
	})
	if err := client.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	wire := bufio.NewReader(client)
	if head, err := wire.ReadString('\n'); err != nil || head != "HEAD\n" {
		t.Fatalf("begins with %q: %v", head, err)
	}
	body = httputil.NewChunkedReader(wire)
	read(t, body, "first")
	return client, body, o
}

func read(t testing.TB, body io.Reader, want string) {
	t.Helper()
	got := make([]byte, len(want))
	if _, err := io.ReadFull(body, got); err != nil || string(got) != want {
		at := 0
		for at < len(got) && got[at] == want[at] {
			at++
		}
		t.Fatalf("%d of %d bytes read, then %.40q, want %.40q: %v", at, len(want), got[at:], want[at:], err)
	}
}

// TestSocketHasItAsNextHasIt: what goes over the wire is, chunks taken away, what Next gives, unnamed and named.
func TestSocketHasItAsNextHasIt(t *testing.T) {
	t.Parallel()
	for _, unnamed := range []bool{false, true} {
		h := hub.New(0, hub.RecentEntries)
		var conns []*hub.Conn
		for range 2 {
			c := h.Add(0, []string{"user:1"}, classAll, unnamed)
			settle(t, h, c, grants("user:1")...)
			conns = append(conns, c)
		}
		_, body, _ := attach(t, h, conns[0])
		for offset := range int64(100) {
			h.Deliver(offset+1, []string{"user:1"}, entry(offset+1, classA, "named:"+strings.Repeat("x", int(offset)*50)+"\n\n").Nameless(len("named:")))
			if offset == 50 {
				conns[0].Signal([]byte("signal"))
				conns[1].Signal([]byte("signal"))
			}
		}
		var want []byte
		for texts, _, _ := now(conns[1]); len(texts) > 0; texts, _, _ = now(conns[1]) {
			want = append(want, bytes.Join(texts, nil)...)
		}
		if bytes.Contains(want, []byte("named:")) == unnamed || len(want) < 100*99/2*50 {
			t.Errorf("unnamed %v: %d bytes, %.40q", unnamed, len(want), want)
		}
		read(t, body, string(want))
	}
}

// TestSocketIsWrittenInOrder: everything arrives once and in order, whether it was joined or not.
func TestSocketIsWrittenInOrder(t *testing.T) {
	t.Parallel()
	h := hub.New(0, hub.RecentEntries)
	const readers, entries = 200, 300
	var bodies []io.Reader
	for i := range readers {
		c := h.Add(0, []string{fmt.Sprint("user:", i)}, classAll, i%7 == 0)
		settle(t, h, c, grants("everyone", fmt.Sprint("user:", i))...)
		_, body, _ := attach(t, h, c)
		bodies = append(bodies, body)
	}
	want := make([]string, readers)
	for offset := int64(1); offset <= entries; offset++ {
		f := entry(offset, classA, fmt.Sprintf("%d ", offset))
		if only := int(offset) % readers; offset%3 == 0 {
			want[only] += string(f.Text(false))
			h.Deliver(offset, []string{fmt.Sprint("user:", only)}, f)
			continue
		}
		for i := range want {
			want[i] += string(f.Text(false))
		}
		h.Deliver(offset, []string{"everyone"}, f)
	}
	for i, body := range bodies {
		read(t, body, want[i])
	}
}

// TestEndIsSaidAndDone: the last text, the end of the body, the end of the connection.
func TestEndIsSaidAndDone(t *testing.T) {
	t.Parallel()
	h := hub.New(0, hub.RecentEntries)
	for _, last := range []string{"over", ""} {
		c := join(t, h, 0, classAll, grants("user:1")...)
		client, body, o := attach(t, h, c)
		if last == "" {
			c.End(nil)
		} else {
			c.End([]byte(last))
		}
		if got, err := io.ReadAll(body); err != nil || string(got) != last {
			t.Errorf("ends with %q: %v", got, err)
		}
		<-o.closed
		if _, err := client.Read(make([]byte, 3)); err != nil && !errors.Is(err, io.EOF) {
			t.Error(err)
		}
	}
	if h.Streams() != 0 {
		t.Errorf("%d streams", h.Streams())
	}
}

// TestHeadComesFirst, though the stream ends before anything was written.
func TestHeadComesFirst(t *testing.T) {
	t.Parallel()
	h := hub.New(0, hub.RecentEntries)
	for range 200 {
		c := join(t, h, 0, classAll, grants("user:1")...)
		server, client := pair(t)
		o := &owner{hub: h, conn: c, closed: make(chan struct{})}
		if err := c.Attach(server, []byte("HEAD\n"), []byte("first"), o); err != nil {
			t.Fatal(err)
		}
		c.End([]byte("over"))
		got, err := io.ReadAll(client)
		if err != nil || string(got) != "HEAD\n5\r\nfirst\r\n4\r\nover\r\n0\r\n\r\n" {
			t.Fatalf("%q: %v", got, err)
		}
		<-o.closed
	}
}

// TestClientThatGoesIsForgotten, whether it says so or sends what it should not.
func TestClientThatGoesIsForgotten(t *testing.T) {
	t.Parallel()
	h := hub.New(0, hub.RecentEntries)
	leaving, _, left := attach(t, h, join(t, h, 0, classAll, grants("user:1")...))
	chatty, _, talked := attach(t, h, join(t, h, 0, classAll, grants("user:1")...))
	_ = leaving.Close()
	if _, err := chatty.Write([]byte("GET / HTTP/1.1\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	<-left.closed
	<-talked.closed
	if h.Streams() != 0 {
		t.Errorf("%d streams", h.Streams())
	}
	h.Deliver(1, []string{"user:1"}, frame(1))
}

// TestReaderThatDoesNotReadIsCut while another one, of the same shard too, gets everything.
func TestReaderThatDoesNotReadIsCut(t *testing.T) {
	t.Parallel()
	h := hub.New(0, hub.RecentEntries)
	slow := join(t, h, 0, classAll, grants("user:1")...)
	client, _, gone := attach(t, h, slow)
	var bodies []io.Reader
	for range 8 {
		_, body, _ := attach(t, h, join(t, h, 0, classAll, grants("user:1")...))
		bodies = append(bodies, body)
	}
	text := strings.Repeat("x", 32<<10)
	for offset := int64(1); ; offset++ {
		h.Deliver(offset, []string{"user:1"}, entry(offset, classA, text))
		for _, body := range bodies {
			read(t, body, text)
		}
		if slow.Cause() != hub.CauseNone {
			break
		}
		if offset == 10_000 {
			t.Fatal("the slow reader is never cut")
		}
	}
	if slow.Cause() != hub.CauseOverflow {
		t.Errorf("cause %v", slow.Cause())
	}
	<-gone.closed
	if body, err := io.ReadAll(client); err == nil && bytes.HasSuffix(body, []byte("0\r\n\r\n")) {
		t.Error("a stream that was cut ended in order")
	}
	if h.Streams() != len(bodies) {
		t.Errorf("%d streams are left", h.Streams())
	}
}

// TestSlowReaderGetsAllInTheEnd: what a socket does not take at once is pushed.
func TestSlowReaderGetsAllInTheEnd(t *testing.T) {
	t.Parallel()
	h := hub.New(0, hub.RecentEntries)
	c := join(t, h, 0, classAll, grants("user:1")...)
	_, body, _ := attach(t, h, c, func(server, client net.Conn) {
		if err := errors.Join(server.(*net.TCPConn).SetWriteBuffer(32<<10), client.(*net.TCPConn).SetReadBuffer(32<<10)); err != nil {
			t.Fatal(err)
		}
	})
	var want strings.Builder
	for offset := int64(1); want.Len() < 900<<10; offset++ { // just within the queue, and far more than the kernel takes
		f := entry(offset, classA, strings.Repeat(string(rune('a'+offset%26)), 3<<10))
		h.Deliver(offset, []string{"user:1"}, f)
		want.Write(f.Text(false))
	}
	read(t, body, want.String())
	if c.Cause() != hub.CauseNone {
		t.Errorf("cause %v", c.Cause())
	}
}

// TestCutSockets: what is not read is not waited for.
func TestCutSockets(t *testing.T) {
	t.Parallel()
	h := hub.New(0, hub.RecentEntries)
	c := join(t, h, 0, classAll, grants("user:1")...)
	_, _, o := attach(t, h, c)
	for offset := int64(1); c.Cause() == hub.CauseNone && offset < 60; offset++ {
		h.Deliver(offset, []string{"user:1"}, entry(offset, classA, strings.Repeat("x", 64<<10)))
	}
	c.End([]byte("over"))
	h.CutSockets()
	<-o.closed
}

// TestPipesAreRefused: what is no file cannot be written to without waiting.
func TestPipesAreRefused(t *testing.T) {
	t.Parallel()
	h := hub.New(0, hub.RecentEntries)
	one, other := net.Pipe()
	defer one.Close()
	defer other.Close()
	if err := join(t, h, 0, classAll).Attach(one, nil, nil, nil); err == nil {
		t.Error("a pipe was taken")
	}
}
