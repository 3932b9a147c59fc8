// Package cut is a TCP proxy that cuts event streams in the middle of whatever they are sending.
package cut

import (
	"bytes"
	"context"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
)

// Proxy forwards connections to one address. Over all connections that ask for a stream it counts the bytes
// that the server sends; where the count reaches the next cut, the connection ends there: after exactly that
// byte, which may lie within an event, a line or a character.
type Proxy struct {
	Address string
	// SpareIDs moves a cut that would fall within an id, or between it and the end of its event, to
	// before the id. Some clients take an id to heart before the event is whole. Set it before use.
	SpareIDs bool

	target   string
	listener net.Listener

	mu      sync.Mutex
	cuts    []int64 // still to come, rising
	passed  []byte  // the end of what passed
	sent    int64
	made    int
	resets  int
	hard    *rand.Rand // every other cut is a reset instead of an end
	conns   map[net.Conn]struct{}
	closing bool
	busy    sync.WaitGroup
}

// Points draws n places to cut between from and to, at least apart bytes from each other, so that each cut
// meets a connection that has begun.
func Points(seed uint64, n int, from, to, apart int64) []int64 {
	dice := rand.New(rand.NewPCG(seed, 0))
	room := (to - from) / int64(n)
	points := make([]int64, n)
	for i := range points {
		points[i] = from + int64(i)*room + dice.Int64N(room-apart)
	}
	return points
}

// New starts a proxy before target that cuts at the given counts. It ends with the test.
func New(t testing.TB, target string, seed uint64, cuts []int64) *Proxy {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{Address: listener.Addr().String(), target: target, listener: listener, cuts: cuts,
		hard:  rand.New(rand.NewPCG(seed, 1)),
		conns: map[net.Conn]struct{}{}}
	p.busy.Go(p.accept)
	t.Cleanup(p.close)
	return p
}

// Cuts tells how many there were so far.
func (p *Proxy) Cuts() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.made
}

// Resets tells how many of the cuts were resets. One takes along what a busy client has not read yet.
func (p *Proxy) Resets() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.resets
}

func (p *Proxy) close() {
	_ = p.listener.Close()
	p.mu.Lock()
	p.closing = true
	for conn := range p.conns {
		_ = conn.Close()
	}
	p.mu.Unlock()
	p.busy.Wait()
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", p.target)
		if err != nil {
			_ = client.Close()
			continue
		}
		if !p.hold(client, server) {
			return
		}
		p.busy.Go(func() { p.forward(client, server) })
	}
}

// hold remembers connections to be closed with the proxy; false when that has happened already.
func (p *Proxy) hold(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, conn := range conns {
		if p.closing {
			_ = conn.Close()
			continue
		}
		p.conns[conn] = struct{}{}
	}
	return !p.closing
}

func (p *Proxy) release(conns ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, conn := range conns {
		_ = conn.Close()
		delete(p.conns, conn)
	}
}

// forward copies both ways until either ends.
func (p *Proxy) forward(client, server net.Conn) {
	defer p.release(client, server)
	var streams sync.Once
	isStream := make(chan struct{})
	p.busy.Go(func() {
		defer p.release(client, server)
		buffer := make([]byte, 32<<10)
		for {
			n, err := client.Read(buffer)
			if bytes.HasPrefix(buffer[:n], []byte("GET /sse/")) {
				streams.Do(func() { close(isStream) }) // a browser may have used the connection for other things before
			}
			if _, failed := server.Write(buffer[:n]); err != nil || failed != nil {
				return
			}
		}
	})
	buffer := make([]byte, 32<<10)
	for {
		n, err := server.Read(buffer)
		pass := n
		select {
		case <-isStream:
			pass = p.allow(buffer[:n])
		default:
		}
		if _, failed := client.Write(buffer[:pass]); failed != nil {
			return
		}
		if pass < n {
			p.sever(client)
			return
		}
		if err != nil {
			return
		}
	}
}

// allow counts what came of a stream and says how much of it may pass before a cut.
func (p *Proxy) allow(came []byte) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(came)
	if len(p.cuts) > 0 && p.sent+int64(n) > p.cuts[0] {
		n = int(max(p.cuts[0]-p.sent, 0))
		whole := false
		if p.SpareIDs {
			n, whole = p.spare(came, n)
		}
		if !whole {
			p.cuts = p.cuts[1:]
			p.made++
		}
	}
	p.sent += int64(n)
	p.passed = append(p.passed, came[:n]...)
	p.passed = p.passed[max(0, len(p.passed)-longestID):]
	return n
}

// longestID is more than what an id's line and the end of its event take.
const longestID = 128

// spare moves a cut out of an id: before it, or where its beginning has passed already, behind the end of its event. whole
// says that nothing has come behind that yet, and the cut has to wait.
func (p *Proxy) spare(came []byte, n int) (at int, whole bool) {
	passed := len(p.passed)
	all := append(bytes.Clone(p.passed), came...)
	if at = beforeID(all, passed+n); at >= passed {
		return at - passed, false
	}
	end := bytes.Index(came, []byte("\n\n"))
	if end < 0 || end+2 == len(came) {
		return len(came), true
	}
	return end + 2, false
}

// beforeID gives n, or the beginning of the id line whose event is not whole in the first n bytes.
func beforeID(came []byte, n int) int {
	const field = "\nid: "
	end := min(n+len(field), len(came)) // n may fall within the field's name
	at := bytes.LastIndex(came[:end], []byte(field))
	if at < 0 || at+1 >= n || bytes.Contains(came[at:n], []byte("\n\n")) {
		return n
	}
	return at + 1
}

// sever ends a connection, by a reset or in good order.
func (p *Proxy) sever(client net.Conn) {
	p.mu.Lock()
	reset := p.hard.IntN(2) == 0
	if reset {
		p.resets++
	}
	p.mu.Unlock()
	if tcp, ok := client.(*net.TCPConn); ok && reset {
		_ = tcp.SetLinger(0)
	}
	_ = client.Close()
}
