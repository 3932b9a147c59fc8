package services

import (
	"context"
	"net"
	"net/url"
	"sync"
	"testing"

	"belfry/internal/testpg"
)

// wire stands between a node and its database. Frozen it lets nothing through, and nobody is told.
type wire struct {
	net.Listener
	gate sync.RWMutex // held while frozen
}

func newWire(t *testing.T, to string) *wire {
	t.Helper()
	w := &wire{Listener: got((&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0"))(t)}
	t.Cleanup(func() { w.Close() })
	go func() {
		for {
			near, err := w.Accept()
			if err != nil {
				return
			}
			far, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", to)
			if err != nil {
				near.Close()
				continue
			}
			go w.carry(near, far)
			go w.carry(far, near)
		}
	}()
	return w
}

func (w *wire) carry(from, to net.Conn) {
	defer from.Close()
	defer to.Close()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		w.gate.RLock()
		if n > 0 {
			_, _ = to.Write(buffer[:n]) // a reader that has gone shows at the next Read
		}
		w.gate.RUnlock()
		if err != nil {
			return
		}
	}
}

// TestDatabaseThatSaysNothing: a stream is sent away in bounded time though no answer and no error comes.
func TestDatabaseThatSaysNothing(t *testing.T) {
	t.Parallel()
	address := testpg.Database(t)
	direct := newNode(t, address)
	direct.person(t, "ann")
	_, cookie := direct.signIn(t, "ann")
	u := got(url.Parse(address))(t)
	w := newWire(t, u.Host)
	u.Host = w.Addr().String()
	n := newNode(t, u.String())
	n.stream(t, StreamRequest{Cookie: cookie}).begun(t)
	w.gate.Lock()
	n.journal.Forget()
	n.stream(t, StreamRequest{Cookie: cookie}).pause(t)
	w.gate.Unlock()
	n.stream(t, StreamRequest{Cookie: cookie}).begun(t)
}
