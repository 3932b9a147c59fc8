// Package program lets a program use what is made for tests: servers, nodes and callers that end and
// clean up with a testing.TB.
package program

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"sync"
	"syscall"
	"testing"
)

// Run runs body as a test would be run: Fatal ends it, what was given to Cleanup follows, newest first.
// The exit code is 1 when anything failed. The first SIGINT or SIGTERM ends the context and so, in
// good order, the body; the second ends the program.
func Run(name string, body func(testing.TB)) (exitCode int) {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	r := &run{name: name, ctx: ctx}
	r.goAndWait(func() { body(r) })
	stop() // as in a test, the context ends before the cleaning up
	for cleanup := r.next(); cleanup != nil; cleanup = r.next() {
		r.goAndWait(cleanup)
	}
	if r.Failed() {
		return 1
	}
	return 0
}

// run is a testing.TB outside of "go test". What a program has no use for is not here, and panics.
type run struct {
	testing.TB // nil; it is here because the interface has an unexported method

	name string
	ctx  context.Context //nolint:containedctx // Context hands it out

	mu       sync.Mutex
	failed   bool
	cleanups []func()
}

// goAndWait gives f a goroutine that Fatal can end.
func (*run) goAndWait(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	<-done
}

func (r *run) next() (cleanup func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n := len(r.cleanups); n > 0 {
		cleanup, r.cleanups = r.cleanups[n-1], r.cleanups[:n-1]
	}
	return cleanup
}

func (r *run) Name() string             { return r.name }
func (r *run) Helper()                  {}
func (r *run) Context() context.Context { return r.ctx }

func (r *run) Cleanup(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cleanups = append(r.cleanups, f)
}

func (r *run) TempDir() string {
	dir, err := os.MkdirTemp("", "belfry-bench-")
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func (r *run) Fail() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed = true
}

func (r *run) Failed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failed
}

func (r *run) FailNow() {
	r.Fail()
	runtime.Goexit()
}

func (*run) Log(args ...any)             { fmt.Fprintln(os.Stderr, args...) }
func (r *run) Logf(f string, a ...any)   { r.Log(fmt.Sprintf(f, a...)) }
func (r *run) Error(args ...any)         { r.Log(args...); r.Fail() }
func (r *run) Errorf(f string, a ...any) { r.Logf(f, a...); r.Fail() }
func (r *run) Fatal(args ...any)         { r.Log(args...); r.FailNow() }
func (r *run) Fatalf(f string, a ...any) { r.Logf(f, a...); r.FailNow() }

// Skipf fails: who runs a program counts on it.
func (r *run) Skipf(f string, a ...any) { r.Fatalf(f, a...) }
