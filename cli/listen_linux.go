package cli

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// deferAccept is how long the kernel keeps a connection to itself that says nothing, in seconds. Its first words are there
// when it is accepted, which saves a look in vain and a wait for each connection of a storm.
const deferAccept = 1

func tune(fd int, unacknowledged time.Duration) error {
	set := func(name string, option, value int) error {
		return os.NewSyscallError("setsockopt "+name, unix.SetsockoptInt(fd, unix.IPPROTO_TCP, option, value))
	}
	return errors.Join(set("TCP_USER_TIMEOUT", unix.TCP_USER_TIMEOUT, int(unacknowledged.Milliseconds())),
		set("TCP_DEFER_ACCEPT", unix.TCP_DEFER_ACCEPT, deferAccept))
}
