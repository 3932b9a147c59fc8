package generator

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// poller is an epoll. It tells of readable and writable sockets by their numbers: as long as they are so, or, of those
// that are watched for news, once each time that something came.
type poller struct {
	fd     int
	events [512]unix.EpollEvent
}

func newPoller() (*poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	return &poller{fd: fd}, os.NewSyscallError("epoll_create1", err)
}

func (p *poller) close() { _ = unix.Close(p.fd) }

// wait waits for at most so long, and says how many sockets are to be looked at.
func (p *poller) wait(limit time.Duration) (int, error) {
	ms := int((limit + time.Millisecond - 1) / time.Millisecond)
	n, err := unix.EpollWait(p.fd, p.events[:], ms)
	if errors.Is(err, unix.EINTR) {
		return 0, nil
	}
	return n, os.NewSyscallError("epoll_wait", err)
}

// at is one of those sockets. One that is broken is readable: the read says how. Of one that has ended nothing more will
// be told, whatever is there to be read.
func (p *poller) at(i int) (fd int, readable, writable, ended bool) {
	e := &p.events[i]
	return int(e.Fd), e.Events&^unix.EPOLLOUT != 0, e.Events&unix.EPOLLOUT != 0, e.Events&(unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0
}

func (p *poller) control(op, fd int, events uint32) error {
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(p.fd, op, fd, &unix.EpollEvent{Events: events, Fd: int32(fd)}))
}

// add watches a socket that connects: it can be written to when it is connected.
func (p *poller) add(fd int) error { return p.control(unix.EPOLL_CTL_ADD, fd, unix.EPOLLOUT) }

// watch says what of a socket is to be told.
func (p *poller) watch(fd int, write bool) error {
	events := uint32(unix.EPOLLIN)
	if write {
		events |= unix.EPOLLOUT
	}
	return p.control(unix.EPOLL_CTL_MOD, fd, events)
}

// news has a socket told of once each time that something came. The kernel then need not look at it again to find that
// there is nothing more.
func (p *poller) news(fd int) error {
	return p.control(unix.EPOLL_CTL_MOD, fd, unix.EPOLLIN|unix.EPOLLRDHUP|unix.EPOLLET)
}

// connect begins to connect, from an address where one is given.
func connect(to netip.AddrPort, from netip.Addr) (fd int, err error) {
	if !to.Addr().Is4() {
		return 0, fmt.Errorf("%v: the generator speaks to addresses of IPv4", to)
	}
	fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, os.NewSyscallError("socket", err)
	}
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1) // without it a request may wait, and that shows
	if from.IsValid() {
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1) // the port is chosen when it is known to where
		if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: from.As4()}); err != nil {
			_ = unix.Close(fd)
			return 0, os.NewSyscallError("bind", err)
		}
	}
	err = unix.Connect(fd, &unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()})
	if err != nil && !errors.Is(err, unix.EINPROGRESS) {
		_ = unix.Close(fd)
		return 0, os.NewSyscallError("connect", err)
	}
	return fd, nil
}

// again says that a socket has nothing to read, or takes nothing, now.
func again(err error) bool { return errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR) }

// read and write are system calls and nothing else: sockets that do not block need no word to Go's scheduler, which
// takes as long as a short copy.
func read(fd int, b []byte) (int, error) { return call(unix.SYS_READ, fd, b) }

func write(fd int, b []byte) (int, error) { return call(unix.SYS_WRITE, fd, b) }

func call(number uintptr, fd int, b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	n, _, errno := syscall.RawSyscall(number, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

// pause sleeps, to the clock: by its own choice the kernel would add 50 µs.
func pause(d time.Duration) {
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0) // it takes a thread's pause as it is
	left := unix.NsecToTimespec(d.Nanoseconds())
	_, _, _ = syscall.RawSyscall(unix.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&left)), 0, 0) // cut short by a signal it is shorter
}

// reset closes a socket with RST: nothing that is under way is waited for, and no port stays taken.
func reset(fd int) {
	_ = unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	_ = unix.Close(fd)
}

// cpuTime is what this process has used so far.
func cpuTime() time.Duration {
	var usage unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &usage) // cannot fail with these arguments
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
