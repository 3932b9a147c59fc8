//go:build unix && !linux

package hub

import "syscall"

// Sockets tells whether connections can be written to without waiting for their readers.
const Sockets = true

// tryWrite makes one attempt, and gives how many bytes were taken; none is no error. It goes past the net package, whose
// own bookkeeping for each write, in three places of memory, costs a third of what the kernel takes.
func tryWrite(fd int, text []byte) (int, error) {
	for {
		n, err := syscall.Write(fd, text)
		switch err {
		case nil:
			return n, nil
		case syscall.EAGAIN:
			return 0, nil
		case syscall.EINTR:
		default:
			return 0, err
		}
	}
}
