// Belfry rings the bell and keeps the watch: notifications to browsers in real time, and a lock for the
// page when the session runs out.
package main

import (
	"context"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"belfry/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := cli.Run(ctx, self(), os.Args[1:], os.Environ(), os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// self is the file of this program: as it runs, where the system can tell, for an upgrade may have put another one in its place.
func self() string {
	if runtime.GOOS == "linux" {
		return "/proc/self/exe"
	}
	path, err := os.Executable()
	if err != nil {
		return ""
	}
	return path
}
