package server

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	readyTimeout = 30 * time.Second
	readyEvery   = 10 * time.Millisecond
)

// Node is one Belfry with an address of its own, which it keeps over restarts. Start, Kill and Terminate
// are for one goroutine at a time.
type Node struct {
	Base string // as in http://127.0.0.1:4711

	t        testing.TB
	binary   string
	dir      string
	settings []string
	log      *os.File
	process  *Process // nil before the first start
}

// SQLite is the address of a database in a directory of the test's own.
func SQLite(t testing.TB) string {
	t.Helper()
	return "sqlite:" + filepath.Join(t.TempDir(), "belfry.db")
}

// New prepares a node on a database. Each setting is "NAME=value", without BELFRY_; LISTEN puts it at an
// address other than one of its own. The node is not
// started: on SQLite people and keys are made before that.
func New(t testing.TB, database string, settings ...string) *Node {
	t.Helper()
	path, err := Binary()
	if err != nil {
		t.Fatal(err)
	}
	address := FreeAddress(t)
	n := &Node{Base: "http://" + address, t: t, binary: path, dir: t.TempDir()}
	n.settings = []string{"PATH=" + os.Getenv("PATH"), "BELFRY_LISTEN=" + address, "BELFRY_DATABASE_URL=" + database, "BELFRY_LOG_FORMAT=json"}
	for _, setting := range settings {
		n.settings = append(n.settings, "BELFRY_"+setting)
		if address, given := strings.CutPrefix(setting, "LISTEN="); given {
			n.Base = "http://" + address
		}
	}
	if n.log, err = os.OpenFile(filepath.Join(n.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if n.process != nil {
			n.process.Kill()
		}
		_ = n.log.Close()
		if t.Failed() {
			t.Logf("the log of %s ends so:\n%s", n.Base, n.LogTail())
		}
	})
	return n
}

// FreeAddress is a host and port of this machine that nobody listens on.
func FreeAddress(t testing.TB) string {
	t.Helper()
	address, err := freeAddress(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return address
}

// The ports to choose from lie below those that the kernel gives to outgoing connections, one of which could else have
// the port before the node does.
const (
	firstPort = 20_000
	lastPort  = 32_000
)

func freeAddress(ctx context.Context) (string, error) {
	for tries := 0; ; tries++ {
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(firstPort+rand.N(lastPort-firstPort)))
		listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
		if err == nil {
			return address, listener.Close()
		}
		if tries == 100 || ctx.Err() != nil {
			return "", err
		}
	}
}

// Use has the node run another build of the program from its next start on.
func (n *Node) Use(binary string) { n.binary = binary }

// Address is the host and port of the node.
func (n *Node) Address() string { return strings.TrimPrefix(n.Base, "http://") }

// PID is the number of the running process.
func (n *Node) PID() int { return n.process.PID() }

// LogTail is the end of what the node has logged, without the requests that went well.
func (n *Node) LogTail() string {
	const keep = 4 << 10
	text, err := os.ReadFile(filepath.Join(n.dir, "log"))
	if err != nil {
		return err.Error()
	}
	var said []byte
	for line := range bytes.Lines(text) {
		if !bytes.Contains(line, []byte(`"INFO","msg":"request"`)) {
			said = append(said, line...)
		}
	}
	return string(bytes.TrimSpace(said[max(0, len(said)-keep):]))
}

// Start starts the node and returns when it is ready.
func (n *Node) Start() error {
	cmd := exec.CommandContext(context.Background(), n.binary, "serve")
	cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr = n.settings, n.dir, n.log, n.log
	process, err := Start(cmd, syscall.SIGKILL)
	if err != nil {
		return err
	}
	n.process = process
	return n.AwaitReady()
}

// AwaitReady waits until the node says that it is ready.
func (n *Node) AwaitReady() error {
	ctx, cancel := context.WithTimeout(context.Background(), readyTimeout)
	defer cancel()
	tick := time.NewTicker(readyEvery)
	defer tick.Stop()
	for {
		if n.ready(ctx) {
			return nil
		}
		select {
		case <-n.process.Exited():
			return fmt.Errorf("belfry ended with %d:\n%s", n.process.ExitCode(), n.LogTail())
		case <-ctx.Done():
			return fmt.Errorf("belfry is not ready after %v:\n%s", readyTimeout, n.LogTail())
		case <-tick.C:
		}
	}
}

func (n *Node) ready(ctx context.Context) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, n.Base+"/readyz", nil)
	if err != nil {
		return false
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	_ = response.Body.Close()
	return response.StatusCode == http.StatusOK
}

// MustStart starts the node or ends the test.
func (n *Node) MustStart() {
	n.t.Helper()
	if err := n.Start(); err != nil {
		n.t.Fatal(err)
	}
}

// Kill ends the node as a crash would.
func (n *Node) Kill() { n.process.Kill() }

// Process is the run that was started last.
func (n *Node) Process() *Process { return n.process }

// Run runs one command of the program on the node's settings, to its end. stdin may be empty.
func (n *Node) Run(stdin string, args ...string) (stdout, stderr string, exitCode int) {
	n.t.Helper()
	cmd := exec.CommandContext(n.t.Context(), n.binary, args...)
	var out, said bytes.Buffer
	cmd.Env, cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = n.settings, n.dir, strings.NewReader(stdin), &out, &said
	process, err := Start(cmd, syscall.SIGKILL)
	if err != nil {
		n.t.Fatal(err)
	}
	if err := process.Await(readyTimeout); err != nil {
		process.Kill()
		n.t.Fatalf("belfry %s: %v\n%s", strings.Join(args, " "), err, said.String())
	}
	return out.String(), said.String(), process.ExitCode()
}

func (n *Node) mustRun(stdin string, args ...string) string {
	n.t.Helper()
	out, said, code := n.Run(stdin, args...)
	if code != 0 {
		n.t.Fatalf("belfry %s: exit %d\n%s", strings.Join(args, " "), code, said)
	}
	return strings.TrimSpace(out)
}
