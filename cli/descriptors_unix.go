//go:build unix

package cli

import (
	"os"
	"syscall"
)

// endless is enough for a limit that is none.
const endless = 1 << 30

// descriptorLimit is how many files and sockets this process may have open. Go has raised it to what the system allows.
func descriptorLimit() (int, error) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0, os.NewSyscallError("getrlimit", err)
	}
	return int(min(limit.Cur, endless)), nil
}
