package generator

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"time"
)

// Loop has the streams and publishers of one generator. All of it belongs to the goroutine that made it.
type Loop struct {
	// Tally is what became of the messages. Who sets it anew counts from there on.
	Tally *Tally
	// OnEvent, where it is set, is told of every event without a mark of a stream that has begun.
	OnEvent func(s *Stream, e *Event, now int64)
	// Pause is how long the loop rests after each look at its sockets. Without it every delivery of a crowd wakes this
	// thread, at the sender's cost and at ours; with it a latency is told that much too long at most.
	Pause time.Duration
	// ComeBack is after how long a stream that the server ended comes back, with the last id that came; 0 = such an end is a
	// fault.
	ComeBack time.Duration
	// Ended counts the streams that the server ended and that came back.
	Ended int
	// Sources are the addresses that connections come from, in turn; none = the system chooses. Each has a range of ports of
	// its own (ip_local_port_range: 28,000 or so), which is the most of connections to one server.
	Sources []netip.Addr

	ctx     context.Context // of the whole run
	address netip.AddrPort
	poller  *poller
	sockets []socket // by number of descriptor
	buffer  []byte
	marks   markReader
	ledger  ledger
	streams []*Stream
	opening []*Stream // that wait for their turn
	away    []*Stream // that wait for their time to come back, in order
	sourced int       // connections that were given a source
	halfway int       // connections that have not begun yet
	begun   int
	called  int // streams that have answered a roll call
	loads   []*Load
	all     []*publisher
	idle    []*publisher // of them, those that wait for something to send
	busy    int          // requests that are not answered yet
	faults  []error
}

// socket is what reads and writes one descriptor.
type socket interface {
	// ready is told what it can do. An error closes it.
	ready(readable, writable bool) error
	closed(err error)
}

const (
	// atOnce is how many streams are being opened at a time: more than a server of the field is given a backlog for
	// would be refused, or wait for the kernel to try again.
	atOnce = 128
	// longest is how long the loop waits for sockets before it looks at the clock.
	longest = 100 * time.Millisecond
	// enoughFaults are kept: the first ones tell what is wrong.
	enoughFaults = 5
)

// New makes a generator for one server, given as host:port of IPv4. The calling goroutine keeps its thread until Close.
// The end of the context ends Run.
func New(ctx context.Context, address string) (*Loop, error) {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return nil, err
	}
	poller, err := newPoller()
	if err != nil {
		return nil, err
	}
	runtime.LockOSThread()
	l := &Loop{Tally: &Tally{}, ctx: ctx, address: to, poller: poller, buffer: make([]byte, 256<<10)}
	l.ledger.tally = l.Tally
	return l, nil
}

// Close resets all connections.
func (l *Loop) Close() {
	for fd, s := range l.sockets {
		if s != nil {
			reset(fd)
		}
	}
	l.sockets = nil
	l.poller.close()
	runtime.UnlockOSThread()
}

// Audiences makes n audiences more, and gives the first one's number; the others follow.
func (l *Loop) Audiences(n int) (first int) {
	first = len(l.ledger.audiences)
	l.ledger.audiences = append(l.ledger.audiences, make([]audience, n)...)
	return first
}

// Latency has the latencies of an audience's deliveries added to a histogram of its own, too; nil = no more.
func (l *Loop) Latency(audience int, h *Histogram) { l.ledger.audiences[audience].latency = h }

// Run works until done says so, which is asked after whatever happened. It gives up after the limit, and says what was
// being waited for.
func (l *Loop) Run(what string, limit time.Duration, done func() bool) error {
	l.ledger.tally = l.Tally
	deadline := time.Now().Add(limit)
	for {
		if err := l.openNext(); err != nil {
			return err
		}
		wait := l.publish()
		if done() {
			return nil
		}
		now := time.Now()
		if err := l.ctx.Err(); err != nil {
			return err
		}
		if now.After(deadline) {
			return fmt.Errorf("%s: not after %v; %s", what, limit, l.state())
		}
		n, err := l.poller.wait(min(wait, longest, deadline.Sub(now)))
		if err != nil {
			return err
		}
		for i := range n {
			l.serve(l.poller.at(i))
		}
		if l.Pause > 0 && n > 0 {
			pause(l.Pause)
		}
	}
}

// serve lets a socket do what it can. One that has ended is asked twice: the first time it gives what has come, the
// second time its end.
func (l *Loop) serve(fd int, readable, writable, ended bool) {
	s := l.sockets[fd]
	if s == nil {
		return
	}
	err := s.ready(readable, writable)
	if err == nil && ended && l.sockets[fd] == s {
		err = s.ready(true, false)
	}
	if err != nil {
		l.drop(fd, err)
	}
}

// For works for so long.
func (l *Loop) For(duration time.Duration) error {
	end := time.Now().Add(duration)
	return l.Run("a time", duration+time.Minute, func() bool { return !time.Now().Before(end) })
}

func (l *Loop) state() string {
	return fmt.Sprintf("%d of %d streams have begun, %d deliveries are owed, %d requests are not answered: %v",
		l.begun, len(l.streams), l.ledger.owed, l.busy, errors.Join(l.faults...))
}

// connect gives a socket a new connection.
func (l *Loop) connect(s socket) (fd int, err error) {
	if fd, err = connect(l.address, l.source()); err != nil {
		return 0, err
	}
	for len(l.sockets) <= fd {
		l.sockets = append(l.sockets, nil)
	}
	l.sockets[fd] = s
	return fd, l.poller.add(fd)
}

// source is where the next connection comes from.
func (l *Loop) source() (from netip.Addr) {
	if len(l.Sources) == 0 {
		return from
	}
	l.sourced++
	return l.Sources[l.sourced%len(l.Sources)]
}

// drop resets a connection.
func (l *Loop) drop(fd int, err error) {
	s := l.sockets[fd]
	l.sockets[fd] = nil
	reset(fd)
	s.closed(err)
}

func (l *Loop) fault(err error) {
	if len(l.faults) < enoughFaults {
		l.faults = append(l.faults, err)
	}
}

// Faults is what should not have happened: streams that ended, refused notices. Of many the first.
func (l *Loop) Faults() error { return errors.Join(l.faults...) }

// Answered says that no request waits for its answer.
func (l *Loop) Answered() bool { return l.busy == 0 }

// Settled says that every message was answered and has come wherever it was due.
func (l *Loop) Settled() bool { return l.busy == 0 && l.ledger.owed == 0 }

// Lost is how many deliveries are owed still.
func (l *Loop) Lost() int { return l.ledger.owed }

// CPU is what this process has used so far, in user and in system mode.
func CPU() time.Duration { return cpuTime() }
