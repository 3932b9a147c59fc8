package announce

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"belfry/services/journal"
)

const (
	natsTimeout       = 3 * time.Second // of dialling, and of each write
	natsReconnectWait = 500 * time.Millisecond
	natsJitter        = time.Second // besides, so that nodes do not all come back at once
	// natsPing, missed twice, is how a dead connection is told from a quiet one.
	natsPing = 5 * time.Second
	// carryLimit bounds what waits to be told, in bytes. Of more only the offset is told, and the others
	// read the log.
	carryLimit = 512 << 10
	// causeSize is about what its cause takes.
	causeSize = 160
	// entrySize is about what an entry takes beside its payload.
	entrySize = 256
	// inboxMessages and inboxBytes bound what has come and was not looked at yet.
	inboxMessages, inboxBytes = 1_000, 16 << 20
	// doubtEvery is how often a message that nobody of us has signed makes this node look at the log, and
	// doubtLog how often it is reported.
	doubtEvery, doubtLog = 100 * time.Millisecond, time.Minute
)

// NATSSettings say how the bus is reached.
type NATSSettings struct {
	URL         string // nats://… or tls://…, several separated by commas
	Credentials string // path of a credentials file; empty = none, or those in the URL
	CA          string // path of a PEM file with the authorities to trust; empty = those of the system
	Secret      []byte // shared by the nodes of one installation and by nobody else
}

// Tail is the part of the journal that hears of other nodes' entries.
type Tail interface {
	Epoch() string
	Cursor() int64
	Offer(epoch string, entries []journal.Entry)
}

// NATS carries the hint between nodes over NATS, and with it the entries, so that the others need not ask
// the database. It uses no storage of NATS: what is lost there is read from the log.
type NATS struct {
	Local
	options nats.Options
	seal    seal
	log     *slog.Logger
	conn    atomic.Pointer[nats.Conn]
	wake    chan struct{}

	mu      sync.Mutex
	pending hint // not yet told
	size    int  // of its entries, in bytes

	grown grown

	doubted, reported time.Time // of the one goroutine that receives
}

// NewNATS makes an announcer. It does nothing before Run; the error is about the files alone.
func NewNATS(s NATSSettings, log *slog.Logger) (*NATS, error) {
	n := &NATS{Local: *NewLocal(), options: nats.GetDefaultOptions(), seal: newSeal(s.Secret), log: log, wake: make(chan struct{}, 1), grown: newGrown()}
	for server := range strings.SplitSeq(s.URL, ",") {
		n.options.Servers = append(n.options.Servers, strings.TrimSpace(server))
	}
	options := []nats.Option{
		nats.Name("belfry"), nats.NoEcho(), nats.Timeout(natsTimeout), nats.FlusherTimeout(natsTimeout),
		nats.PingInterval(natsPing), nats.MaxPingsOutstanding(2),
		// For ever, and also while the server refuses us: a password may be set right there.
		nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1), nats.IgnoreAuthErrorAbort(),
		nats.ReconnectWait(natsReconnectWait), nats.ReconnectJitter(natsJitter, natsJitter),
		// Nothing is kept for later: by then every node has read it from the log.
		nats.ReconnectBufSize(-1),
	}
	// The files are looked at here: NATS would find out at each connection, and go on trying.
	if s.CA != "" {
		authorities, err := readFile(s.CA)
		if err != nil {
			return nil, fmt.Errorf("the file of authorities cannot be read: %w", err)
		}
		if !x509.NewCertPool().AppendCertsFromPEM(authorities) {
			return nil, errors.New("the file of authorities holds no certificate")
		}
		options = append(options, nats.RootCAs(s.CA))
	}
	if s.Credentials != "" {
		if _, err := readFile(s.Credentials); err != nil {
			return nil, fmt.Errorf("the credentials file cannot be read: %w", err)
		}
		options = append(options, nats.UserCredentials(s.Credentials))
	}
	for _, set := range options {
		if err := set(&n.options); err != nil {
			return nil, err
		}
	}
	return n, nil
}

// readFile leaves the path out of its error: it may be a secret, given by the wrong name.
func readFile(path string) ([]byte, error) {
	text, err := os.ReadFile(path)
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		err = e.Err
	}
	return text, err
}

// Announce wakes this node at once and tells the others soon; what comes meanwhile goes as one.
func (n *NATS) Announce(epoch string, entries []journal.Entry) {
	n.hint()
	n.mu.Lock()
	n.add(epoch, entries[len(entries)-1].Offset, entries)
	n.mu.Unlock()
	ring(n.wake)
}

// add puts more into what waits to be told; the caller holds n.mu.
func (n *NATS) add(epoch string, offset int64, entries []journal.Entry) {
	if n.pending.Epoch != epoch {
		n.pending, n.size = hint{Epoch: epoch}, 0
	}
	n.pending.Offset = max(n.pending.Offset, offset)
	for i := range entries {
		n.size += len(entries[i].Payload) + entrySize
		if entries[i].Cause != nil {
			n.size += causeSize
		}
	}
	if n.size > carryLimit {
		n.pending.Entries = nil // and no others until this is told
		return
	}
	n.pending.Entries = append(n.pending.Entries, entries...)
}

func (n *NATS) take() hint {
	n.mu.Lock()
	defer n.mu.Unlock()
	h := n.pending
	n.pending, n.size = hint{}, 0
	return h
}

// Healthy reports whether hints of other nodes can come in. Without them the poll floor serves.
func (n *NATS) Healthy() bool {
	conn := n.conn.Load()
	return conn != nil && conn.IsConnected()
}

// Run sends and receives until ctx ends, connecting anew whenever a connection is lost. NATS need not be
// there when it begins.
func (n *NATS) Run(ctx context.Context, tail Tail) {
	up, closed := make(chan struct{}, 1), make(chan struct{})
	connected := func(*nats.Conn) { ring(up) }
	options := n.options
	options.CustomDialer = dialer{ctx: ctx}
	options.ConnectedCB, options.ReconnectedCB = connected, connected
	options.DisconnectedErrCB = func(_ *nats.Conn, err error) {
		if ctx.Err() == nil {
			n.interrupted(err)
		}
	}
	refusal := ""
	options.ReconnectErrCB = func(_ *nats.Conn, err error) {
		if err != nil && err.Error() != refusal { // each try has its own; the same one is said once
			refusal = err.Error()
			n.interrupted(err)
		}
	}
	options.AsyncErrorCB = func(_ *nats.Conn, _ *nats.Subscription, err error) {
		n.log.Warn("NATS complains", "error", err)
	}
	options.ClosedCB = func(*nats.Conn) { close(closed) }
	conn, err := options.Connect()
	if err != nil {
		n.interrupted(err) // of the settings: trying again would not help
		return
	}
	defer func() {
		n.conn.Store(nil)
		conn.Close()
		<-closed
	}()
	subscription, err := conn.Subscribe(n.seal.subject, func(m *nats.Msg) { n.receive(tail, m.Data) })
	if err == nil {
		err = subscription.SetPendingLimits(inboxMessages, inboxBytes)
	}
	if err != nil {
		n.interrupted(err)
		return
	}
	n.conn.Store(conn)
	for {
		select {
		case <-ctx.Done():
			return
		case <-up:
			n.listening(ctx, conn)
		case <-n.wake:
			n.send(conn)
		case <-n.grown.wake:
			n.sendGrown(conn)
		}
	}
}

func (n *NATS) interrupted(err error) {
	n.log.Warn("hints between nodes are interrupted; the log is polled meanwhile", "for", "NATS", "error", err)
}

// listening lets the tail read once the server has our subscription, so that nothing falls between the
// two, and tells what could not be told before.
func (n *NATS) listening(ctx context.Context, conn *nats.Conn) {
	waiting, cancel := context.WithTimeout(ctx, natsTimeout)
	defer cancel()
	if conn.FlushWithContext(waiting) != nil {
		return // it is gone again; the next connection comes here too
	}
	n.log.Info("hints between nodes come by NATS", "server", conn.ConnectedUrlRedacted())
	n.hint()
	ring(n.wake)
}

// send tells what is pending. What cannot be told stays, without its entries.
func (n *NATS) send(conn *nats.Conn) {
	h := n.take()
	if h.Offset == 0 {
		return
	}
	message, err := n.seal.wrap(h)
	if err == nil && int64(len(message)) > conn.MaxPayload() {
		h.Entries = nil
		message, err = n.seal.wrap(h)
	}
	if err == nil {
		err = conn.Publish(n.seal.subject, message)
	}
	if err != nil {
		n.log.Debug("a hint was not sent", "error", err)
		n.mu.Lock()
		defer n.mu.Unlock()
		if n.pending.Epoch == "" || n.pending.Epoch == h.Epoch {
			n.add(h.Epoch, h.Offset, nil)
		}
	}
}

// Grew tells the other nodes soon that something has grown.
func (n *NATS) Grew(id, end int64) { n.grown.add(id, end) }

// sendGrown tells what has grown. What cannot be told is lost, as any hint may be.
func (n *NATS) sendGrown(conn *nats.Conn) {
	list := n.grown.take()
	if len(list) == 0 {
		return
	}
	message, err := n.seal.wrap(hint{Grown: list})
	if err == nil {
		err = conn.Publish(n.seal.subject, message)
	}
	if err != nil {
		n.log.Debug("a hint was not sent", "error", err)
	}
}

// receive takes what came over the bus. Only news of the log as this node knows it counts: an old message
// sent again, however often, does not even make it look.
func (n *NATS) receive(tail Tail, message []byte) {
	h, ok := n.seal.unwrap(message)
	switch {
	case !ok:
		n.doubt()
	case len(h.Grown) > 0:
		for _, g := range h.Grown { // whoever takes them looks at what is new to it alone
			n.heard(g)
		}
	case h.Epoch == tail.Epoch() && h.Offset > tail.Cursor():
		tail.Offer(h.Epoch, h.Entries)
		n.hint()
	}
}

// doubt is for a message that nobody of this installation and version has signed: a forgery, or a node of
// another version. It may be true that there is something new, so this node looks, now and then.
func (n *NATS) doubt() {
	now := time.Now()
	if now.Sub(n.doubted) < doubtEvery {
		return
	}
	n.doubted = now
	n.hint()
	if now.Sub(n.reported) >= doubtLog {
		n.reported = now
		n.log.Warn("a hint that does not verify: it is forged, or comes from a node of another version", "subject", n.seal.subject)
	}
}

// dialer gives up with its context, so that a server that does not answer holds up no shutdown.
type dialer struct{ ctx context.Context }

func (d dialer) Dial(network, address string) (net.Conn, error) {
	return (&net.Dialer{Timeout: natsTimeout}).DialContext(d.ctx, network, address)
}
