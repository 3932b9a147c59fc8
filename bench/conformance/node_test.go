package conformance_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"belfry/bench/server"
)

// install brings the packages that the clients are made of, at the versions of the lock file.
func install() error {
	lock, err := os.Stat("clients/package-lock.json")
	if err != nil {
		return err
	}
	done, err := os.Stat("clients/node_modules/.package-lock.json")
	if err == nil && done.ModTime().After(lock.ModTime()) {
		return nil
	}
	npm := exec.CommandContext(context.Background(), "npm", "ci", "--no-audit", "--no-fund")
	npm.Dir = "clients"
	npm.Env = append(os.Environ(), "PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1", "PUPPETEER_SKIP_DOWNLOAD=1")
	if out, err := npm.CombinedOutput(); err != nil {
		return fmt.Errorf("npm ci: %w\n%s", err, out)
	}
	return os.Chtimes("clients/node_modules/.package-lock.json", time.Now(), time.Now())
}

// script runs one of the clients under Node until the test ends, and hands on each line that it prints.
func script(t *testing.T, each func(event), name string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(context.Background(), "node", append([]string{name + ".mjs"}, args...)...)
	cmd.Dir = "clients"
	var said bytes.Buffer
	cmd.Stderr = &said
	input, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	output, writer := io.Pipe()
	cmd.Stdout = writer
	process, err := server.Start(cmd, syscall.SIGTERM)
	if err != nil {
		t.Fatal(err)
	}
	var reading sync.WaitGroup
	reading.Go(func() {
		lines := bufio.NewReaderSize(output, 1<<20)
		for {
			line, err := lines.ReadBytes('\n')
			if err != nil {
				return
			}
			var e event
			if err := json.Unmarshal(line, &e); err != nil {
				e = event{Type: "error", Data: string(line)}
			}
			each(e)
		}
	})
	t.Cleanup(func() {
		_ = input.Close() // this tells it to end, its browser first
		if process.Await(patience) != nil {
			process.Kill()
			t.Errorf("%s does not end", name)
		}
		_ = writer.Close()
		reading.Wait()
		if t.Failed() && said.Len() > 0 {
			t.Logf("%s says:\n%s", name, said.String())
		}
	})
}

// versionOf is that of an installed package.
func versionOf(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("clients/node_modules", name, "package.json"))
	if err != nil {
		t.Fatal(err)
	}
	var manifest struct{ Version string }
	if err := json.Unmarshal(text, &manifest); err != nil {
		t.Fatal(err)
	}
	return manifest.Version
}

// browser finds a program by the first of its names that is there, and asks it for its version.
func browser(t *testing.T, names ...string) (program, version string) {
	t.Helper()
	for _, name := range names {
		program, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		out, err := exec.CommandContext(t.Context(), program, "--version").Output()
		if err != nil {
			t.Fatalf("%s --version: %v", program, err)
		}
		for word := range strings.FieldsSeq(string(out)) {
			if strings.Trim(word, "0123456789.esr") == "" {
				return program, word
			}
		}
		return program, strings.TrimSpace(string(out))
	}
	t.Fatalf("there is none of %v", names)
	return "", ""
}
