//go:build unix

package cli

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// logLines is what a server logs, as it comes.
type logLines <-chan string

// await skips to the line that has all the words, past none that has the unwanted one.
func (lines logLines) await(t *testing.T, unwanted string, words ...string) {
	t.Helper()
	tooLate := time.After(time.Minute)
	for {
		select {
		case line, more := <-lines:
			if !more || unwanted != "" && strings.Contains(line, unwanted) {
				t.Fatalf("before %q came %q", words, line)
			}
			if !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(line, word) }) {
				return
			}
		case <-tooLate:
			t.Fatalf("no line has %q", words)
		}
	}
}

// TestLevelBySignal turns the log of a running server up and down.
func TestLevelBySignal(t *testing.T) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	_ = free.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	log, out := io.Pipe()
	ended := make(chan int, 1)
	go func() {
		ended <- Run(ctx, "", []string{"serve", "--listen", address, "--drain", "0"}, sqliteShell(t).environ, strings.NewReader(""), io.Discard, out)
		_ = out.Close()
	}()
	lines := make(chan string, 1000)
	go func() {
		defer close(lines)
		for scanner := bufio.NewScanner(log); scanner.Scan(); {
			lines <- scanner.Text()
		}
	}()
	await := logLines(lines).await
	ask := func(path string) {
		t.Helper()
		resp, err := http.Get("http://" + address + path)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
	}
	send := func(s syscall.Signal) {
		t.Helper()
		if err := syscall.Kill(syscall.Getpid(), s); err != nil {
			t.Fatal(err)
		}
	}
	await(t, "", `"msg":"ready"`)
	ask("/livez") // which is news at debug alone
	send(syscall.SIGUSR1)
	await(t, "/livez", "changed by a signal", `"level":"debug"`)
	ask("/livez")
	await(t, "", `"path":"/livez"`, `"level":"DEBUG"`, `"request_id":"`)
	send(syscall.SIGUSR2)
	await(t, "", "changed by a signal", `"level":"info"`)
	ask("/livez")
	ask("/api/v1/session")
	await(t, "/livez", `"path":"/api/v1/session"`, `"request_id":"`)
	cancel()
	if code := <-ended; code != exitDone {
		t.Errorf("serve: exit %d", code)
	}
}
