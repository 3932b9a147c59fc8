package cli

import (
	"context"
	"net"
	"syscall"
	"time"
)

// unacknowledgedLimit is how long a peer may acknowledge nothing of what was sent before its connection is
// given up. A write deadline does not see a peer that has vanished: the kernel takes what is written into
// its buffers. It is more than a train's tunnel or a few lost packets need, and with the default HEARTBEAT
// the dead stream is gone before the client itself, at 2.5 missed ones, would count it as dead.
const unacknowledgedLimit = 20 * time.Second

// listen takes connections whose peers have to acknowledge within the limit. On a system where that
// cannot be set, the kernel's own patience holds.
func listen(ctx context.Context, address string, unacknowledged time.Duration) (*net.TCPListener, error) {
	// No keep-alive probes: streams have their heartbeat and the limit, other connections are closed when they idle. That
	// saves three system calls for each connection of a storm.
	config := net.ListenConfig{KeepAlive: -1, Control: func(_, _ string, socket syscall.RawConn) (err error) {
		// Accepted sockets have it from their listener.
		controlled := socket.Control(func(fd uintptr) { err = tune(int(fd), unacknowledged) })
		if err == nil {
			err = controlled
		}
		return err
	}}
	// By default Go listens with Multipath TCP, whose sockets refuse the option.
	config.SetMultipathTCP(false)
	listener, err := config.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	return listener.(*net.TCPListener), nil //nolint:forcetypeassert // what "tcp" gives
}
