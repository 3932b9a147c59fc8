// Belfry rings the bell and keeps the watch: notifications to browsers in real time, and a lock for the
// page when the session runs out.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"belfry/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := cli.Run(ctx, os.Args[1:], os.Environ(), os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
