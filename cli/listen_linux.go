package cli

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

func limitUnacknowledged(fd int, limit time.Duration) error {
	return os.NewSyscallError("setsockopt TCP_USER_TIMEOUT", unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(limit.Milliseconds())))
}
