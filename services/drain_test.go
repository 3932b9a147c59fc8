package services

import (
	"context"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"belfry/models"
)

// TestDrainIsSpread: streams leave evenly over the drain time, each with a wait of its own.
func TestDrainIsSpread(t *testing.T) {
	t.Parallel()
	const (
		many  = 20
		drain = time.Second
	)
	n := newNode(t, sqliteAddress(t))
	n.person(t, "ann")
	_, cookie := n.signIn(t, "ann")
	var streams []*sink
	for range many {
		s := n.stream(t, StreamRequest{Cookie: cookie})
		s.begun(t)
		streams = append(streams, s)
	}
	began := time.Now()
	var draining, leaving sync.WaitGroup
	draining.Go(func() { n.Drain(t.Context()) })
	var mu sync.Mutex
	var left []time.Duration
	waits := map[int64]bool{}
	for _, s := range streams {
		leaving.Go(func() {
			wait := away(t, s)
			mu.Lock()
			defer mu.Unlock()
			left, waits[wait] = append(left, time.Since(began)), true
		})
	}
	leaving.Wait()
	draining.Wait()
	slices.Sort(left)
	for i, at := range left {
		if due := time.Duration(i) * drain / many; at < due {
			t.Errorf("stream %d left after %v, not before %v was due", i, at, due)
		}
	}
	if len(waits) < many/2 {
		t.Errorf("%d streams were told %d different times to come back", many, len(waits))
	}
}

// TestComesDuringTheDrain: a stream that comes while others still wait for their turn is sent away at once.
func TestComesDuringTheDrain(t *testing.T) {
	t.Parallel()
	n := newNode(t, sqliteAddress(t), func(_ *models.SessionLimits, s *StreamSettings) { s.Drain = time.Hour })
	n.person(t, "ann")
	_, cookie := n.signIn(t, "ann")
	for range 2 {
		n.stream(t, StreamRequest{Cookie: cookie}).begun(t)
	}
	over, cancel := context.WithCancel(t.Context())
	var draining sync.WaitGroup
	draining.Go(func() { n.Drain(over) })
	<-n.Draining()
	away(t, n.stream(t, StreamRequest{Cookie: cookie}))
	if n.hub.Streams() == 0 {
		t.Error("nobody waited for a turn: it proves nothing")
	}
	cancel()
	draining.Wait()
}

// away takes a pause, holds it to what it may say, and gives its wait in ms.
func away(t *testing.T, s *sink) int64 {
	e := s.pause(t)
	wait, err := strconv.ParseInt(e.retry, 10, 64)
	back, errBack := strconv.ParseInt(e.data, 10, 64)
	if err != nil || errBack != nil || wait < 1_000 || wait > 30_000 {
		t.Errorf("%+v", e)
	}
	if ahead := back - time.Now().UnixMilli(); ahead > wait || ahead < wait-5_000 {
		t.Errorf("told to come back in %d ms, by a retry of %d", ahead, wait)
	}
	return wait
}

// openedBeforeTheDrain is a stream that nobody serves yet, on a node that has been told to drain.
func openedBeforeTheDrain(t *testing.T) (*node, Opening) {
	t.Helper()
	n := newNode(t, sqliteAddress(t))
	n.person(t, "ann")
	_, cookie := n.signIn(t, "ann")
	opening, err := n.Open(t.Context(), StreamRequest{Cookie: cookie})
	must(t, err)
	over, cancel := context.WithCancel(t.Context())
	cancel()
	n.Drain(over) // nobody is told in this time, as if it had come too late for that
	return n, opening
}

// TestOpenedDuringTheDrain: a stream that was let in just before, and is served just after, is not
// forgotten until the connection is cut.
func TestOpenedDuringTheDrain(t *testing.T) {
	t.Parallel()
	_, opening := openedBeforeTheDrain(t)
	var got []sseEvent
	serving, end := context.WithTimeout(t.Context(), patience)
	defer end()
	must(t, opening.Stream.Serve(serving, opening.First, func(b []byte) error {
		got = append(got, parseEvents(t, b)...)
		return nil
	}))
	if len(got) != 1 || got[0].name != "pause" {
		t.Errorf("%+v", got)
	}
}

// TestOpenedDuringTheDrainOnASocket: what goes out begins as an answer all the same.
func TestOpenedDuringTheDrainOnASocket(t *testing.T) {
	t.Parallel()
	n, opening := openedBeforeTheDrain(t)
	client := onSocket(t, &opening, []byte("HEAD\r\n"))
	must(t, client.SetDeadline(time.Now().Add(patience)))
	got, err := io.ReadAll(client)
	must(t, err)
	text := string(got)
	if !strings.HasPrefix(text, "HEAD\r\n") || !strings.Contains(text, "event: pause\n") || !strings.HasSuffix(text, "0\r\n\r\n") {
		t.Errorf("%q", text)
	}
	n.AwaitClosed(t.Context())
}

// TestAwaitClosedCutsInTheEnd what does not end by itself.
func TestAwaitClosedCutsInTheEnd(t *testing.T) {
	t.Parallel()
	n := newNode(t, sqliteAddress(t))
	n.person(t, "ann")
	_, cookie := n.signIn(t, "ann")
	opening, err := n.Open(t.Context(), StreamRequest{Cookie: cookie})
	must(t, err)
	onSocket(t, &opening, nil)
	over, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	n.AwaitClosed(over)
	if n.hub.Streams() != 0 || over.Err() == nil {
		t.Errorf("%d streams, %v", n.hub.Streams(), over.Err())
	}
}

// onSocket serves a stream over a connection of its own, and gives the client's end of it.
func onSocket(t *testing.T, opening *Opening, head []byte) (client net.Conn) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer listener.Close()
	client, err = net.Dial("tcp", listener.Addr().String())
	must(t, err)
	t.Cleanup(func() { _ = client.Close() })
	must(t, opening.Stream.Attach(listener.Accept, head, opening.First))
	return client
}
