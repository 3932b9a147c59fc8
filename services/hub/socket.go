package hub

import (
	"errors"
	"math"
	"net"
	"slices"
	"syscall"
	"time"
)

// pushTimeout is how long a reader that has not taken what was written to it may take for that. What the kernel takes
// into its buffers counts as taken, so this finds the stalled, not the vanished.
const pushTimeout = 10 * time.Second

// Owner is who opened a stream that has a socket.
type Owner interface {
	// Feed goes on with the replay of the connection: one step.
	Feed()
	// Closed is told once, when the socket is closed.
	Closed()
}

// Attach has the shard write to a socket from now on: first head and text in one write with whatever else waits, then
// what comes, each frame as a chunk. The hub owns the socket then. A socket that is no file of the system is refused.
func (c *Conn) Attach(conn net.Conn, head, text []byte, owner Owner) error {
	fd, err := descriptor(conn)
	if err != nil {
		return err
	}
	s := c.lock()
	defer s.unlock()
	c.sink, c.fd, c.owner = conn, fd, owner
	waiting := c.queue.take(s, nil, math.MaxInt)
	first := newFrame(head, text)
	if len(text) == 0 { // a chunk of no length would be the last one
		first = &Frame{wire: head, text: len(head)}
	}
	first.head = true
	c.queue.push(s, first)
	for _, f := range waiting {
		c.queue.push(s, f)
	}
	c.begin()
	c.rouse(false)
	go c.watch(conn)
	return nil
}

// descriptor is the number of a connection's file. It stays good until the connection is closed.
func descriptor(conn net.Conn) (fd int32, err error) {
	file, ok := conn.(syscall.Conn)
	if !ok {
		return 0, errNoFile
	}
	raw, err := file.SyscallConn()
	if err != nil {
		return 0, err
	}
	err = raw.Control(func(number uintptr) { fd = int32(number) }) //nolint:gosec // the system's own are no larger
	return fd, err
}

var errNoFile = errors.New("hub: the connection is no file of the system")

// watch waits for the client to go: it sends nothing any more, and if it does, it has no right to.
func (c *Conn) watch(conn net.Conn) {
	var b [1]byte
	_, _ = conn.Read(b[:])
	s := c.lock()
	c.hangUp()
	s.unlock()
	c.owner.Closed()
}

// hangUp closes the socket; but not while the writer writes to its descriptor, whose number might then be another's: the
// writer closes it itself. From then on there is no number to write to.
func (c *Conn) hangUp() {
	if c.trying {
		c.doomed = true
		return
	}
	c.fd = noFile
	_ = c.sink.Close()
}

// noFile is the descriptor of a socket that is closed.
const noFile = -1

// written is what becomes of a connection after an attempt to write to it.
func (c *Conn) written(j *job, now time.Duration) {
	c.trying = false
	if j.err == nil && j.rest == nil {
		c.tookAll(j.frames, now)
	}
	switch {
	case j.err != nil || c.doomed:
		c.fail(CauseNone)
	case j.rest != nil:
		c.stall(now)
		go c.push(slices.Clone(j.frames), j.rest, j.last)
	case j.last:
		c.hangUp()
	default:
		c.writing, c.wrote = false, now
		c.goOn()
	}
}

// fail ends a connection whose socket is of no use any more.
func (c *Conn) fail(why Cause) {
	if c.mode != closed {
		c.close(why)
	}
	c.hangUp() // writing stays true: nobody is to try again
}

// goOn looks what is next when nothing is under way.
func (c *Conn) goOn() {
	switch {
	case c.queue.len() > 0 || c.mode == closed:
		c.rouse(c.queue.len() > 0)
		return
	case c.mode == replaying && !c.feeding:
		c.feeding = true
		go c.feed()
	}
	c.stalled = 0
}

func (c *Conn) feed() {
	c.owner.Feed()
	defer c.lock().unlock()
	c.feeding = false
	if !c.writing {
		c.goOn()
	}
}

// push waits for a slow reader, in a goroutine of its own, so that nobody else does.
func (c *Conn) push(frames []*Frame, rest []byte, last bool) {
	err := c.sink.SetWriteDeadline(time.Now().Add(pushTimeout))
	if err == nil {
		_, err = c.sink.Write(rest)
	}
	if err == nil {
		err = c.sink.SetWriteDeadline(time.Time{})
	}
	defer c.lock().unlock()
	now := c.shard.hub.since()
	if err == nil {
		c.tookAll(frames, now)
	}
	switch {
	case err != nil:
		c.fail(failed(err))
	case last:
		c.hangUp()
	default:
		c.writing, c.wrote = false, now
		c.goOn()
	}
}
