package announce_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"belfry/services/announce"
	"belfry/services/journal"
	"belfry/services/tracing"
)

const secret = "the secret of the nodes of one installation"

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// natsServer starts a server of our own, on any free port unless the options name one.
func natsServer(t *testing.T, options natsserver.Options) *natsserver.Server {
	t.Helper()
	options.Host, options.NoSigs, options.NoLog = "127.0.0.1", true, true
	if options.Port == 0 {
		options.Port = natsserver.RANDOM_PORT
	}
	server, err := natsserver.NewServer(&options)
	must(t, err)
	server.Start()
	if !server.ReadyForConnections(patience) {
		t.Fatal("the NATS server does not start")
	}
	t.Cleanup(func() { stop(server) })
	return server
}

func stop(server *natsserver.Server) {
	server.Shutdown()
	server.WaitForShutdown()
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// memory is a tail that only remembers what it was offered.
type memory struct {
	mu      sync.Mutex
	epoch   string
	cursor  int64
	offered []journal.Entry
}

func (m *memory) Epoch() string { return m.epoch }
func (m *memory) Cursor() int64 { m.mu.Lock(); defer m.mu.Unlock(); return m.cursor }
func (m *memory) Offer(_ string, entries []journal.Entry) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.offered = append(m.offered, entries...)
}

// take gives what was offered since the last time.
func (m *memory) take() []journal.Entry {
	m.mu.Lock()
	defer m.mu.Unlock()
	entries := m.offered
	m.offered = nil
	return entries
}

// begin runs an announcer until the test ends or the returned function is called.
func begin(t *testing.T, settings announce.NATSSettings, tail announce.Tail) (n *announce.NATS, end func()) {
	t.Helper()
	return beginLogged(t, settings, tail, quiet)
}

func beginLogged(t *testing.T, settings announce.NATSSettings, tail announce.Tail, log *slog.Logger) (n *announce.NATS, end func()) {
	t.Helper()
	if settings.Secret == nil {
		settings.Secret = []byte(secret)
	}
	n, err := announce.NewNATS(settings, log)
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); n.Run(ctx, tail) }()
	end = func() {
		cancel()
		select {
		case <-done:
		case <-time.After(patience):
			t.Error("Run did not end with its context")
		}
	}
	t.Cleanup(end)
	return n, end
}

// hear is begin, and waits until the announcer hears.
func hear(t *testing.T, settings announce.NATSSettings, tail announce.Tail) *announce.NATS {
	t.Helper()
	n, _ := begin(t, settings, tail)
	awaitHint(t, n) // the one that says: read from the cursor now
	if !n.Healthy() {
		t.Error("not healthy after the subscription")
	}
	return n
}

// spy hears and says on the bus what anybody can who is on it.
type spy struct {
	*nats.Conn
	heard chan *nats.Msg
}

func newSpy(t *testing.T, server *natsserver.Server) *spy {
	t.Helper()
	conn, err := nats.Connect(server.ClientURL(), nats.NoEcho())
	must(t, err)
	t.Cleanup(conn.Close)
	s := &spy{conn, make(chan *nats.Msg, 10_000)}
	_, err = conn.ChanSubscribe("belfry.>", s.heard)
	must(t, err)
	must(t, conn.Flush())
	return s
}

func (s *spy) next(t *testing.T) *nats.Msg {
	t.Helper()
	select {
	case m := <-s.heard:
		return m
	case <-time.After(patience):
		t.Fatal("nothing came over the bus")
		return nil
	}
}

// say publishes; all that it says has been taken by the server when it returns.
func (s *spy) say(t *testing.T, subject string, message []byte) {
	t.Helper()
	must(t, s.Publish(subject, message))
	must(t, s.Flush())
}

func entry(offset int64, payload string) journal.Entry {
	return journal.Entry{Offset: offset, Kind: "notice", Subject: offset, Actor: "user:7", Topic: "t", CollapseKey: "c",
		Audiences: []string{"user:1", "everyone"}, Payload: []byte(payload), CreatedAt: 1_700_000_000_000, ExpiresAt: 1_800_000_000_000, WithdrawnAt: 1_750_000_000_000,
		Cause: &tracing.Cause{Request: "r", Parent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}}
}

// TestEntriesArriveAsTheyWere: what is handed on without the database has to be what the database holds.
func TestEntriesArriveAsTheyWere(t *testing.T) {
	t.Parallel()
	server := natsServer(t, natsserver.Options{})
	tail := &memory{epoch: "e"}
	a, b := hear(t, announce.NATSSettings{URL: server.ClientURL()}, &memory{epoch: "e"}), hear(t, announce.NATSSettings{URL: server.ClientURL()}, tail)
	sent := []journal.Entry{entry(1, `{"title":"<b>&amp; \u003c \u2028 一切正常 🎉","n":12345678901234567890,"f":1.0}`), entry(2, "{}")}
	a.Announce("e", sent)
	awaitHint(t, a) // itself, at once
	awaitHint(t, b)
	if got := tail.take(); !reflect.DeepEqual(got, sent) {
		t.Errorf("sent %+v\ncame %+v", sent, got)
	}
	tried := reflect.ValueOf(sent[0])
	for i := range tried.NumField() {
		if tried.Field(i).IsZero() {
			t.Errorf("%s is not tried here", tried.Type().Field(i).Name)
		}
	}
}

// TestOnlyNewsCounts: of another epoch, or known already, a hint does not even make the node look.
func TestOnlyNewsCounts(t *testing.T) {
	t.Parallel()
	server := natsServer(t, natsserver.Options{})
	tail := &memory{epoch: "e", cursor: 5}
	a, b := hear(t, announce.NATSSettings{URL: server.ClientURL()}, &memory{epoch: "e"}), hear(t, announce.NATSSettings{URL: server.ClientURL()}, tail)
	spy := newSpy(t, server)
	for _, hint := range []struct {
		epoch  string
		offset int64
	}{{"e", 4}, {"e", 5}, {"other", 9}} {
		a.Announce(hint.epoch, []journal.Entry{entry(hint.offset, "{}")})
		spy.next(t)
	}
	a.Announce("e", []journal.Entry{entry(6, "{}")})
	awaitHint(t, b)
	if got := tail.take(); len(got) != 1 || got[0].Offset != 6 {
		t.Errorf("%+v", got)
	}
	select {
	case <-b.Hints():
		t.Error("what is no news made the node look")
	default:
	}
}

// TestForgedHints: without the key nobody gets an entry into a tail, whatever they make of what they heard.
func TestForgedHints(t *testing.T) {
	t.Parallel()
	server := natsServer(t, natsserver.Options{})
	tail := &memory{epoch: "e"}
	a, b := hear(t, announce.NATSSettings{URL: server.ClientURL()}, &memory{epoch: "e"}), hear(t, announce.NATSSettings{URL: server.ClientURL()}, tail)
	spy := newSpy(t, server)
	a.Announce("e", []journal.Entry{entry(1, `{"title":"genuine"}`)})
	genuine := spy.next(t)
	awaitHint(t, b)
	tail.take()

	changed := []byte(strings.ReplaceAll(string(genuine.Data), "genuine", "phantom"))
	future := []byte(strings.ReplaceAll(string(genuine.Data), `"Offset":1`, `"Offset":2`))
	// Somebody with a key of their own, whose message is put onto our subject.
	stranger := hear(t, announce.NATSSettings{URL: server.ClientURL(), Secret: []byte("another secret")}, &memory{epoch: "e"})
	stranger.Announce("e", []journal.Entry{entry(2, `{"title":"phantom"}`)})
	foreign := spy.next(t)
	if foreign.Subject == genuine.Subject {
		t.Error("two installations share a subject")
	}
	for _, message := range [][]byte{changed, future, foreign.Data, genuine.Data[32:], genuine.Data[:31], genuine.Data[:32], {}, nil, []byte("{}")} {
		spy.say(t, genuine.Subject, message)
	}
	awaitHint(t, b) // it looks at the log, to be sure, and that is all
	a.Announce("e", []journal.Entry{entry(3, `{"title":"last"}`)})
	for got := tail.take(); ; got = append(got, tail.take()...) {
		if len(got) == 1 && got[0].Offset == 3 {
			return
		}
		if len(got) > 0 {
			t.Fatalf("came %+v", got)
		}
		awaitHint(t, b)
	}
}

// TestForgeriesAreBounded: a flood of them makes a node look at the log now and then, not each time.
func TestForgeriesAreBounded(t *testing.T) {
	t.Parallel()
	server := natsServer(t, natsserver.Options{})
	tail := &memory{epoch: "e"}
	b := hear(t, announce.NATSSettings{URL: server.ClientURL()}, tail)
	a, spy := hear(t, announce.NATSSettings{URL: server.ClientURL()}, &memory{epoch: "e"}), newSpy(t, server)
	a.Announce("e", []journal.Entry{entry(1, "{}")})
	subject := spy.next(t).Subject
	awaitHint(t, b)
	began, hints, over := time.Now(), 0, make(chan struct{})
	go func() {
		defer close(over)
		for range 20_000 {
			_ = spy.Publish(subject, []byte("not signed by anybody"))
		}
		for range 500 { // one by one, for hints that come at once are one anyway
			_ = spy.Publish(subject, []byte("not signed by anybody"))
			_ = spy.Flush()
			time.Sleep(200 * time.Microsecond)
		}
	}()
	for flood := over; flood != nil; {
		select {
		case <-b.Hints():
			hints++
		case <-over:
			flood = nil
		}
	}
	if most := 2 + int(time.Since(began)/(100*time.Millisecond)); hints > most {
		t.Errorf("%d looks at the log in %v", hints, time.Since(began))
	}
}

// TestTooLargeForTheBus: then only the offset is told, and the tail reads the rest.
func TestTooLargeForTheBus(t *testing.T) {
	t.Parallel()
	server := natsServer(t, natsserver.Options{MaxPayload: 2048})
	tail := &memory{epoch: "e"}
	a, b := hear(t, announce.NATSSettings{URL: server.ClientURL()}, &memory{epoch: "e"}), hear(t, announce.NATSSettings{URL: server.ClientURL()}, tail)
	for offset, size := range []int{1: 3_000, 2: 600_000, 3: 100} {
		if offset == 0 {
			continue
		}
		a.Announce("e", []journal.Entry{entry(int64(offset), `"`+strings.Repeat("x", size)+`"`)})
		awaitHint(t, b)
		if got := tail.take(); len(got) != 0 && offset < 3 || len(got) != 1 && offset == 3 {
			t.Errorf("of an entry of %d bytes came %d", size, len(got))
		}
	}
	if !a.Healthy() {
		t.Error("the server has thrown the node out")
	}
}

// TestAnnounceDoesNotWait: publishing goes on at its own pace, whatever has become of the bus.
func TestAnnounceDoesNotWait(t *testing.T) {
	t.Parallel()
	n, _ := begin(t, announce.NATSSettings{URL: "nats://127.0.0.1:1"}, &memory{epoch: "e"})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for offset := range int64(10_000) {
			n.Announce("e", []journal.Entry{entry(offset+1, strings.Repeat("x", 1_000))})
		}
	}()
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatal("it waits for a server that is not there")
	}
	awaitHint(t, n) // this node at least
	if n.Healthy() {
		t.Error("healthy without a connection")
	}
}

func TestNATSComesAndGoes(t *testing.T) {
	t.Parallel()
	first := natsServer(t, natsserver.Options{})
	options := natsserver.Options{Port: first.Addr().(*net.TCPAddr).Port}
	url := first.ClientURL()
	stop(first)
	// Nobody is there yet.
	tail, said := &memory{epoch: "e"}, make(lines, 1_000)
	a, _ := beginLogged(t, announce.NATSSettings{URL: url}, &memory{epoch: "e"}, slog.New(slog.NewTextHandler(said, nil)))
	b, _ := begin(t, announce.NATSSettings{URL: url}, tail)
	select {
	case <-said:
	case <-time.After(patience):
		t.Fatal("nothing said of a server that is not there")
	}
	for offset := int64(1); offset <= 4; offset += 2 {
		a.Announce("e", []journal.Entry{entry(offset, "{}")})
		awaitHint(t, a)
		server := natsServer(t, options)
		awaitHealth(t, a, true)
		awaitHealth(t, b, true)
		awaitHint(t, b) // what happened while nobody listened: read from the cursor
		if got := tail.take(); len(got) != 0 {
			t.Errorf("old entries were kept for later: %+v", got)
		}
		awaitOffered(t, a, tail, offset+1)
		stop(server)
		awaitHealth(t, a, false)
		awaitHealth(t, b, false)
		tail.take() // one that was on its way
	}
}

// awaitOffered announces an entry until the other side has it: a connection that is up may go once more.
func awaitOffered(t *testing.T, from *announce.NATS, tail *memory, offset int64) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); <-tick.C {
		from.Announce("e", []journal.Entry{entry(offset, "{}")})
		if got := tail.take(); len(got) > 0 {
			return
		}
	}
	t.Fatalf("entry %d was not offered", offset)
}
