package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// raw is the floor: one thread, and for each delivery one bare write(2) of bytes that are ready. It keeps nothing, it
// checks nothing, and a stream whose socket is full ends it: then it would not be the floor any more.
func raw(listener net.Listener, s settings) error {
	runtime.LockOSThread()
	file, err := listener.(*net.TCPListener).File()
	if err != nil {
		return err
	}
	defer runtime.KeepAlive(file) // the collector would close it
	r := &rawServer{listener: int(file.Fd()), topics: map[string][]int{}, head: []byte(rawHead + "\r\n")}
	if s.chunked {
		r.head = []byte(rawHead + "Transfer-Encoding: chunked\r\n\r\n")
	}
	if r.poller, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return err
	}
	return errors.Join(unix.SetNonblock(r.listener, true), r.watch(r.listener), r.serve())
}

const (
	rawHead    = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n"
	rawCreated = "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"
)

type rawServer struct {
	listener, poller int
	head             []byte
	clients          []*rawClient // by descriptor
	topics           map[string][]int
	buffer           [64 << 10]byte
}

type rawClient struct {
	topic  string // of a stream
	unread []byte // a request that has not come whole
}

func (r *rawServer) watch(fd int) error {
	return unix.EpollCtl(r.poller, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)})
}

func (r *rawServer) serve() error {
	var events [512]unix.EpollEvent
	for {
		n, err := unix.EpollWait(r.poller, events[:], -1)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return err
		}
		for _, event := range events[:max(n, 0)] {
			fd := int(event.Fd)
			if fd == r.listener {
				err = r.accept()
			} else {
				err = r.read(fd)
			}
			if err != nil {
				return err
			}
		}
	}
}

func (r *rawServer) accept() error {
	for {
		fd, _, err := unix.Accept4(r.listener, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
		if errors.Is(err, unix.EAGAIN) {
			return nil
		}
		if err != nil {
			return os.NewSyscallError("accept4", err)
		}
		for len(r.clients) <= fd {
			r.clients = append(r.clients, nil)
		}
		r.clients[fd] = &rawClient{}
		if err := errors.Join(unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1), r.watch(fd)); err != nil {
			return err
		}
	}
}

func (r *rawServer) read(fd int) error {
	n, errno := call(unix.SYS_READ, fd, r.buffer[:])
	switch {
	case errno == unix.EAGAIN:
		return nil
	case errno != 0 || n == 0:
		r.leave(fd)
		return nil //nolint:nilerr // a client that goes is no fault of the server
	}
	client, unread := r.clients[fd], r.buffer[:n]
	if len(client.unread) > 0 {
		unread = append(client.unread, unread...)
	}
	for len(unread) > 0 {
		used, err := r.request(fd, client, unread)
		if err != nil {
			return err
		}
		if used == 0 {
			break
		}
		unread = unread[used:]
	}
	client.unread = append(client.unread[:0], unread...)
	return nil
}

var (
	headEnd   = []byte("\r\n\r\n")
	topicName = []byte("?topic=")
	lengthIs  = []byte("Content-Length: ")
)

// request does what one request asks for, and says how long it was; 0 = it has not come whole.
func (r *rawServer) request(fd int, client *rawClient, b []byte) (used int, err error) {
	end := bytes.Index(b, headEnd)
	if end < 0 {
		return 0, nil
	}
	head := b[:end]
	_, topic, _ := bytes.Cut(head, topicName)
	topic, _, found := bytes.Cut(topic, []byte(" "))
	if !found {
		return 0, fmt.Errorf("no topic: %q", head)
	}
	end += len(headEnd)
	if head[0] == 'G' {
		client.topic = string(topic)
		r.topics[client.topic] = append(r.topics[client.topic], fd)
		return end, write(fd, r.head)
	}
	_, text, _ := bytes.Cut(head, lengthIs)
	text, _, _ = bytes.Cut(text, []byte("\r"))
	length, err := strconv.Atoi(string(text))
	if err != nil || len(b) < end+length {
		return 0, err
	}
	for _, stream := range r.topics[string(topic)] {
		if err := write(stream, b[end:end+length]); err != nil {
			return 0, err
		}
	}
	return end + length, write(fd, []byte(rawCreated))
}

func (r *rawServer) leave(fd int) {
	if topic := r.clients[fd].topic; topic != "" {
		streams := r.topics[topic]
		for i, stream := range streams {
			if stream == fd {
				streams[i] = streams[len(streams)-1]
				r.topics[topic] = streams[:len(streams)-1]
				break
			}
		}
	}
	r.clients[fd] = nil
	_ = unix.Close(fd)
}

// write writes all or fails, but for a client that has gone: its end is still to be read.
func write(fd int, b []byte) error {
	n, errno := call(unix.SYS_WRITE, fd, b)
	switch {
	case errno == unix.EPIPE || errno == unix.ECONNRESET:
		return nil
	case errno != 0:
		return os.NewSyscallError("write", errno)
	case n < len(b):
		return errors.New("a socket is full")
	}
	return nil
}

// call is a system call and nothing else: these sockets do not block.
func call(number uintptr, fd int, b []byte) (int, syscall.Errno) {
	n, _, errno := syscall.RawSyscall(number, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
	return int(n), errno
}
