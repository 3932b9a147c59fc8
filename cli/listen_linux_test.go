package cli

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestAcceptedSocketsHaveTheLimit asks the kernel.
func TestAcceptedSocketsHaveTheLimit(t *testing.T) {
	listener, err := listen(t.Context(), "127.0.0.1:0", unacknowledgedLimit)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	client, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := client.Write([]byte("GET")); err != nil { // who says nothing is accepted later
		t.Fatal(err)
	}
	accepted, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer accepted.Close()
	raw, err := accepted.(*net.TCPConn).SyscallConn() // the server's own type: sendfile and keep-alive depend on it
	if err != nil {
		t.Fatal(err)
	}
	if err := raw.Control(func(fd uintptr) {
		ms, err := unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT)
		if err != nil || time.Duration(ms)*time.Millisecond != unacknowledgedLimit {
			t.Errorf("TCP_USER_TIMEOUT is %d ms, %v", ms, err)
		}
	}); err != nil {
		t.Fatal(err)
	}
}

// namespace is a network of its own, and the thread that is in it.
type namespace struct {
	work chan func()
	file string // names it to other namespaces
}

func newNamespace(t *testing.T) *namespace {
	t.Helper()
	n := &namespace{work: make(chan func())}
	entered := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine, and the network with it
		n.file = fmt.Sprintf("/proc/%d/task/%d/ns/net", os.Getpid(), unix.Gettid())
		entered <- unix.Unshare(unix.CLONE_NEWNET)
		for f := range n.work {
			f()
		}
	}()
	t.Cleanup(func() { close(n.work) })
	if err := <-entered; err != nil {
		if os.Getenv("CI") != "" || os.Getenv("REQUIRE_PG") != "" {
			t.Fatalf("no network namespace: %v", err) // where all has to run, nothing is passed over
		}
		t.Skipf("no network namespace: %v", err)
	}
	return n
}

// run does something in the namespace. What it starts in other goroutines is not in it.
func (n *namespace) run(t *testing.T, do func() error) {
	t.Helper()
	done := make(chan error)
	n.work <- func() { done <- do() }
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func (n *namespace) ip(t *testing.T, commands ...string) {
	t.Helper()
	for _, c := range commands {
		n.run(t, func() error {
			out, err := exec.Command("ip", strings.Fields(c)...).CombinedOutput()
			if err != nil {
				return fmt.Errorf("ip %s: %w: %s", c, err, out)
			}
			return nil
		})
	}
}

// TestVanishedPeer takes a client's address away in the middle of a stream, as when a phone leaves its
// network. A write deadline sees nothing of that, because the kernel takes what is written; the limit does.
func TestVanishedPeer(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("network namespaces need root")
	}
	const limit = 2 * time.Second
	here, there := newNamespace(t), newNamespace(t)
	here.ip(t, "link add bell address 02:00:00:00:00:01 type veth peer name phone address 02:00:00:00:00:02", "link set phone netns "+there.file,
		"addr add 192.0.2.1/24 dev bell", "link set bell up", "neigh replace 192.0.2.2 lladdr 02:00:00:00:00:02 dev bell nud permanent")
	there.ip(t, "addr add 192.0.2.2/24 dev phone", "link set phone up")
	limited, unlimited := vanishing(t, here, there, limit), vanishing(t, here, there, 0)
	began := time.Now()
	there.ip(t, "addr del 192.0.2.2/24 dev phone")
	select {
	case <-limited:
		t.Logf("found after %v", time.Since(began))
	case <-time.After(10 * limit):
		t.Error("the stream goes on")
	}
	// Long past the write deadline the other one is still being written to: without it this test would prove nothing.
	select {
	case <-unlimited:
		t.Error("the stream without the limit has ended too")
	default:
	}
}

// vanishing opens a stream from one network to another and gives what is closed when its handler ends.
// Limit 0 leaves the listener as Go makes it.
func vanishing(t *testing.T, here, there *namespace, limit time.Duration) (ended chan struct{}) {
	t.Helper()
	var listener net.Listener
	here.run(t, func() (err error) {
		if limit == 0 {
			listener, err = net.Listen("tcp4", "192.0.2.1:0")
		} else {
			listener, err = listen(t.Context(), "192.0.2.1:0", limit)
		}
		return err
	})
	ended = make(chan struct{})
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(ended)
		control := http.NewResponseController(w)
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			_ = control.SetWriteDeadline(time.Now().Add(limit/2 + 100*time.Millisecond))
			if _, err := fmt.Fprint(w, "data: x\n\n"); err != nil || control.Flush() != nil {
				return
			}
			select {
			case <-tick.C:
			case <-r.Context().Done():
				return
			}
		}
	})}
	served := make(chan struct{})
	go func() { defer close(served); _ = server.Serve(listener) }()
	var client net.Conn
	there.run(t, func() (err error) {
		client, err = net.Dial("tcp4", listener.Addr().String())
		return err
	})
	if _, err := fmt.Fprint(client, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close(); _ = server.Close(); <-served; <-ended })
	return ended
}
