package middleware

import (
	"bytes"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// ConnectionsPerAddress is how many connections one address may have at a time: more than an office behind one address has
// browsers, and few enough that a hundred such addresses do not take all that a process can have.
const ConnectionsPerAddress = 4096

// networkBits are what of an IPv6 address counts: who has one has the 2⁶⁴ beside it as well (RFC 6177).
const networkBits = 64

// Connections bounds how many connections stand, and counts those that were refused or cut before there was a request that
// [Requests] could count.
type Connections struct {
	most, perAddress int
	trusted          []netip.Prefix
	refused          *prometheus.CounterVec
	cut              *prometheus.CounterVec
	standing         prometheus.GaugeFunc

	mu   sync.Mutex
	open int
	from map[netip.Addr]int // what is trusted is not in it
}

// Why a connection was refused or cut.
const (
	refusedAddress     = "address"
	refusedDescriptors = "descriptors"
	cutLate            = "head_late"
	cutTooLarge        = "head_too_large"
)

// NewConnections allows so many connections at most. What comes from trusted proxies, or from this machine, comes from many
// people, so the limit of one address does not hold there.
func NewConnections(most int, trusted []netip.Prefix) *Connections {
	c := &Connections{most: most, perAddress: ConnectionsPerAddress, trusted: trusted, from: map[netip.Addr]int{},
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "belfry_connections_refused_total",
			Help: "Connections closed as they came, because their address or this process has too many."}, []string{"reason"}),
		cut: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "belfry_connections_cut_total",
			Help: "Connections closed because the head of a request was not there in time, or too large."}, []string{"reason"})}
	c.standing = prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "belfry_connections_open", Help: "Connections to this node, streams among them."},
		func() float64 { return float64(c.count()) })
	for _, reason := range []string{refusedAddress, refusedDescriptors} {
		c.refused.WithLabelValues(reason)
	}
	for _, reason := range []string{cutLate, cutTooLarge} {
		c.cut.WithLabelValues(reason)
	}
	return c
}

// Describe gives what there is to be collected.
func (c *Connections) Describe(to chan<- *prometheus.Desc) {
	c.refused.Describe(to)
	c.cut.Describe(to)
	c.standing.Describe(to)
}

// Collect gives the figures as they stand.
func (c *Connections) Collect(to chan<- prometheus.Metric) {
	c.refused.Collect(to)
	c.cut.Collect(to)
	c.standing.Collect(to)
}

func (c *Connections) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.open
}

// Limit closes what the listener accepts beyond the limits.
func (c *Connections) Limit(l *net.TCPListener) net.Listener { return &limitedListener{l, c} }

type limitedListener struct {
	*net.TCPListener
	connections *Connections
}

// Accept gives the next connection within the limits. It never waits for room: a listener that does not accept holds up
// everybody, and an attacker would only have to hold on.
func (l *limitedListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.AcceptTCP()
		if err != nil {
			return nil, err
		}
		if entered := l.connections.enter(conn); entered != nil {
			return entered, nil
		}
		_ = conn.SetLinger(0) // nothing of it stays with the kernel
		_ = conn.Close()
	}
}

// enter counts a connection; nil = one too many.
func (c *Connections) enter(conn *net.TCPConn) *connection {
	from := c.counted(conn.RemoteAddr())
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.open >= c.most:
		c.refused.WithLabelValues(refusedDescriptors).Inc()
		return nil
	case from.IsValid() && c.from[from] >= c.perAddress:
		c.refused.WithLabelValues(refusedAddress).Inc()
		return nil
	case from.IsValid():
		c.from[from]++
	}
	c.open++
	return &connection{TCPConn: conn, of: c, from: from}
}

func (c *Connections) leave(from netip.Addr) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open--
	if !from.IsValid() {
		return
	}
	if c.from[from]--; c.from[from] == 0 {
		delete(c.from, from)
	}
}

// This machine itself, as a proxy beside the server. The other addresses of its network are nobody's by custom.
var here = map[netip.Addr]bool{netip.AddrFrom4([4]byte{127, 0, 0, 1}): true, netip.IPv6Loopback(): true}

// counted is the address that a connection counts for; none where its peer speaks for many people.
func (c *Connections) counted(remote net.Addr) (from netip.Addr) {
	peer, ok := remote.(*net.TCPAddr)
	if !ok {
		return from
	}
	from = peer.AddrPort().Addr().Unmap().WithZone("")
	if here[from] {
		return netip.Addr{}
	}
	for _, proxy := range c.trusted {
		if proxy.Contains(from) {
			return netip.Addr{}
		}
	}
	if from.Is6() {
		from = netip.PrefixFrom(from, networkBits).Masked().Addr()
	}
	return from
}

// connection is one that was let in. All else is its TCP connection's: sendfile and the taking over by a stream depend on it.
type connection struct {
	*net.TCPConn
	of     *Connections
	from   netip.Addr
	state  http.ConnState // as the server last told
	late   atomic.Bool    // a read has met its deadline
	closed atomic.Bool
}

// RemoteAddr is what the server asks for first on the goroutine that serves the connection. There the stack has one frame to
// copy as it grows; a dozen calls further down growing takes some microseconds of each new connection, and many come at once.
func (c *connection) RemoteAddr() net.Addr {
	_ = growStack(len(c.from.Zone()))
	return c.TCPConn.RemoteAddr()
}

// growStack has the goroutine's stack grow to what a request takes. What it gives is of no use but to keep the compiler from
// leaving the array out.
//
//go:noinline
func growStack(n int) byte {
	var room [4 << 10]byte
	return room[n&(len(room)-1)]
}

// Close makes room for another one.
func (c *connection) Close() error {
	if c.closed.CompareAndSwap(false, true) {
		c.of.leave(c.from)
	}
	return c.TCPConn.Close()
}

// Read notes when what was waited for did not come.
func (c *connection) Read(b []byte) (int, error) {
	n, err := c.TCPConn.Read(b)
	if err != nil && errors.Is(err, os.ErrDeadlineExceeded) {
		c.late.Store(true)
	}
	return n, err
}

// tooLarge is how the server answers a head that is too large, before there is a handler that could count it.
var tooLarge = []byte("HTTP/1.1 431 ")

// Write notes that answer.
func (c *connection) Write(b []byte) (int, error) {
	if bytes.HasPrefix(b, tooLarge) {
		c.of.cut.WithLabelValues(cutTooLarge).Inc()
	}
	return c.TCPConn.Write(b)
}

// Changed is told by the server how its connections go (http.Server.ConnState). It is active from when it has the head of a
// request, or has given up waiting for the rest of it: then the last read was late. Of one that was idle that says nothing,
// for the server itself breaks a read off at the end of each request.
func (c *Connections) Changed(conn net.Conn, state http.ConnState) {
	if secure, ok := conn.(*tls.Conn); ok {
		conn = secure.NetConn()
	}
	of, ok := conn.(*connection)
	if !ok {
		return
	}
	switch {
	case state == http.StateIdle:
		of.late.Store(false)
	case of.late.Load() && (state == http.StateActive || (state == http.StateClosed && of.state == http.StateNew)):
		c.cut.WithLabelValues(cutLate).Inc()
	}
	of.state = state
}
