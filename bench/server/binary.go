// Package server runs the real belfry program for tests that drive it from outside: through its
// command line, its HTTP API and its streams, and with signals.
package server

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
)

// binary is the program that all tests of one test binary share. It is package state because TestMain,
// which removes it, has no other way to reach the tests.
var binary struct {
	once sync.Once
	path string
	dir  string // to be removed; empty when BELFRY_BIN names the program
	err  error
}

// Binary is the path of the program: the one that BELFRY_BIN names, or else one built from the
// sources that this module lies in.
func Binary() (string, error) {
	binary.once.Do(func() { binary.err = findBinary() })
	return binary.path, binary.err
}

func findBinary() error {
	if named := os.Getenv("BELFRY_BIN"); named != "" {
		path, err := filepath.Abs(named)
		if err == nil {
			_, err = os.Stat(path)
		}
		binary.path = path
		return err
	}
	_, here, _, ok := runtime.Caller(0)
	if !ok {
		return fmt.Errorf("build belfry: the sources cannot be found; set BELFRY_BIN")
	}
	dir, err := os.MkdirTemp("", "belfry-bench-")
	if err != nil {
		return err
	}
	binary.dir, binary.path = dir, filepath.Join(dir, "belfry")
	build := exec.CommandContext(context.Background(), "go", "build", "-o", binary.path, ".")
	build.Dir = filepath.Join(filepath.Dir(here), "..", "..")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build belfry: %w\n%s", err, out)
	}
	return nil
}

// Remove deletes a program that was built for the tests. TestMain calls it last.
func Remove() {
	if binary.dir != "" {
		_ = os.RemoveAll(binary.dir)
	}
}
