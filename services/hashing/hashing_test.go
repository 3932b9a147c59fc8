//go:build linux

package hashing

import (
	"fmt"
	"log/slog"
	"net/rpc"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/alexedwards/argon2id"
	"go.uber.org/goleak"
)

// TestMain makes this test binary the process that hashes, where it is started as that.
func TestMain(m *testing.M) {
	if slices.Equal(os.Args[1:], []string{Argument}) {
		if err := Serve(os.Stdin, os.Stdout); err != nil {
			panic(err)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

var cheap = argon2id.Params{Memory: 8, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32}

const password = "correct horse"

func started(t *testing.T) *Process {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p, err := Start(program, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

func (p *Process) pid() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.process.Pid
}

// hashes has a password hashed and compared, and gives why that did not go well.
func hashes(p *Process) error {
	hash, err := p.Create(password, cheap)
	if err != nil {
		return err
	}
	for tried, want := range map[string]bool{password: true, password + "!": false, "": false} {
		if fits, err := p.Fits(tried, hash); err != nil || fits != want {
			return fmt.Errorf("%q fits %q: %v, %w", tried, hash, fits, err)
		}
	}
	return nil
}

// TestHashes: what one process makes the other knows as well, and so does a hasher without one.
func TestHashes(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]*Process{"here": nil, "apart": started(t)} {
		if err := hashes(p); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if fits, err := p.Fits(password, "no hash"); err == nil || fits {
			t.Errorf("%s: no hash at all: %v, %v", name, fits, err)
		}
	}
	made, err := started(t).Create(password, cheap)
	if err != nil {
		t.Fatal(err)
	}
	if fits, err := (*Process)(nil).Fits(password, made); err != nil || !fits {
		t.Errorf("what was made there does not fit here: %v, %v", fits, err)
	}
}

// TestGivesWay: all of its threads are of lower priority, and of the server's settings it knows nothing.
func TestGivesWay(t *testing.T) {
	t.Parallel()
	p := started(t)
	if err := hashes(p); err != nil { // by now it has the threads that it needs
		t.Fatal(err)
	}
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", p.pid()))
	if err != nil || len(threads) == 0 {
		t.Fatalf("threads %v, %v", threads, err)
	}
	for _, thread := range threads {
		stat, err := os.ReadFile(thread)
		if err != nil {
			t.Fatal(err)
		}
		const nice = 19 - 3 // proc_pid_stat(5), of what follows the name
		_, rest, _ := strings.Cut(string(stat), ") ")
		if fields := strings.Fields(rest); fields[nice] != fmt.Sprint(niceness) {
			t.Errorf("%s: nice %s, want %d", thread, fields[nice], niceness)
		}
	}
	environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", p.pid()))
	if err != nil || len(environ) > 0 {
		t.Errorf("its environment is %q, %v", environ, err)
	}
}

// TestStartedAnew: whoever asks after the process has died gets an answer, of another one; an answer that is an error brings none.
func TestStartedAnew(t *testing.T) {
	t.Parallel()
	p := started(t)
	first := p.pid()
	if _, err := p.Fits(password, "no hash"); err == nil || p.pid() != first {
		t.Errorf("an error of its own: %v, from process %d to %d", err, first, p.pid())
	}
	if err := syscall.Kill(first, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := hashes(p); err != nil {
		t.Errorf("after it was killed: %v", err)
	}
	if p.pid() == first {
		t.Error("it is the same process")
	}
}

// TestSignals: the server is asked to stop and goes on for a while, with people who sign in.
func TestSignals(t *testing.T) {
	t.Parallel()
	p := started(t)
	if err := hashes(p); err != nil { // else the signal could come before it is ignored
		t.Fatal(err)
	}
	first := p.pid()
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP} {
		if err := syscall.Kill(first, signal); err != nil {
			t.Fatal(err)
		}
	}
	if err := hashes(p); err != nil || p.pid() != first {
		t.Errorf("after signals: %v, from process %d to %d", err, first, p.pid())
	}
}

// TestEnds: it is gone when Close returns, and comes no more.
func TestEnds(t *testing.T) {
	t.Parallel()
	p := started(t)
	p.Close()
	if err := syscall.Kill(p.pid(), 0); err == nil {
		t.Error("it is still there")
	}
	if _, err := p.Create(password, cheap); err != rpc.ErrShutdown { //nolint:errorlint // as it is
		t.Errorf("a hash after the end: %v", err)
	}
	(*Process)(nil).Close()
}

// TestNone: what cannot be started is said at once.
func TestNone(t *testing.T) {
	t.Parallel()
	if p, err := Start(filepath.Join(t.TempDir(), "belfry"), slog.New(slog.DiscardHandler)); err == nil || p != nil {
		t.Errorf("started %v, %v", p, err)
	}
}
