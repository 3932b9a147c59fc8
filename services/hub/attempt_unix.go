//go:build unix

package hub

import (
	"errors"
	"syscall"
)

var errNoFile = errors.New("hub: the connection is no file")

// Sockets tells whether connections can be written to without waiting for their readers.
const Sockets = true

// attempt is one write that does not wait, with what it needs kept from one to the next: a closure for each would be an
// allocation for each.
type attempt struct {
	text []byte
	n    int
	err  error
	once func(fd uintptr) bool
}

func (a *attempt) init() {
	a.once = func(fd uintptr) bool {
		for {
			a.n, a.err = syscall.Write(int(fd), a.text)
			if a.err != syscall.EINTR { //nolint:errorlint // as the system call gives it
				return true // one try: false would wait until it can be written
			}
		}
	}
}

// write gives how many bytes the socket took; none is no error.
func (a *attempt) write(s *socket, text []byte) (int, error) {
	a.text = text
	err := s.raw.Write(a.once)
	a.text = nil
	if err != nil {
		return 0, err
	}
	if a.err == syscall.EAGAIN { //nolint:errorlint // as the system call gives it
		return 0, nil
	}
	return a.n, a.err
}
