package faults_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"belfry/bench/server"
	"belfry/internal/testpg"
)

// vanish has clients disappear without a word: their packets go nowhere, as a phone's in a tunnel.
func vanish(t *testing.T, line *row) {
	const clients = 20
	c := layCable(t)
	inside := server.FreeAddress(t)
	_, port, _ := net.SplitHostPort(server.FreeAddress(t))
	address := net.JoinHostPort(here, port)
	node := &member{Node: server.New(t, testpg.NewCluster(t).DSN(), "LISTEN="+address, "INTERNAL_LISTEN="+inside, "HEARTBEAT=1s"), inside: inside}
	node.AddUser("anna")
	node.MustStart()
	as := node.Login(t, "anna")
	for range clients {
		c.openStream(t, address, as.Cookie)
	}
	if n := node.openCount(t); n != clients {
		t.Fatalf("%d streams, want %d", n, clients)
	}
	c.pull(t)
	const bound = 45 * time.Second
	began := time.Now()
	if !within(bound, func() bool { return node.openCount(t) == 0 }) {
		line.breaks(broken, "half-open", "%d of %d streams to vanished clients are still open after %v", node.openCount(t), clients, bound)
		return
	}
	line.note = fmt.Sprintf("%d vanished clients were noticed after %.1f s", clients, time.Since(began).Seconds())
}

// The two ends of a cable.
const (
	here  = "10.213.77.1"
	there = "10.213.77.2"
)

// cable leads into a network of its own, which lives as long as one thread.
type cable struct {
	device string
	jobs   chan func() // done within the other network
}

func layCable(t *testing.T) *cable {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can make a network")
	}
	c := &cable{device: fmt.Sprintf("belfry%d", os.Getpid()%10000), jobs: make(chan func())}
	thread, fault := make(chan int, 1), make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine, and the network with it
		fault <- syscall.Unshare(syscall.CLONE_NEWNET)
		thread <- syscall.Gettid()
		for job := range c.jobs {
			job()
		}
	}()
	t.Cleanup(func() { close(c.jobs) })
	if err := <-fault; err != nil {
		t.Fatalf("make a network namespace: %v", err)
	}
	ip(t, "link", "add", c.device, "type", "veth", "peer", "name", "far", "netns", fmt.Sprint(<-thread))
	t.Cleanup(func() { ip(t, "link", "del", c.device) })
	ip(t, "addr", "add", here+"/30", "dev", c.device)
	ip(t, "link", "set", c.device, "up")
	c.within(func() {
		ip(t, "addr", "add", there+"/30", "dev", "far")
		ip(t, "link", "set", "far", "up")
	})
	return c
}

// within does something in the other network.
func (c *cable) within(job func()) {
	done := make(chan struct{})
	c.jobs <- func() { defer close(done); job() }
	<-done
}

// ip runs the command of that name, in the network of the thread that calls it.
func ip(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(context.Background(), "ip", args...).CombinedOutput()
	if err != nil {
		t.Errorf("ip %s: %v: %s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// openStream opens one from the other network and returns when it has begun.
func (c *cable) openStream(t *testing.T, address, cookie string) {
	t.Helper()
	c.within(func() {
		conn, err := net.DialTimeout("tcp", address, patience)
		if err != nil {
			t.Error(err)
			return
		}
		t.Cleanup(func() { _ = conn.Close() })
		_, asked := io.WriteString(conn, ask(cookie))
		if first, err := bufio.NewReader(conn).ReadString('\n'); err != nil || asked != nil || !strings.Contains(first, "200") {
			t.Errorf("%q, %v, %v", first, asked, err)
		}
	})
}

// pull takes the other end's address away. What is sent to it is dropped in silence, for this end goes on
// believing that it is there.
func (c *cable) pull(t *testing.T) {
	t.Helper()
	var hardware string
	c.within(func() {
		_, after, _ := strings.Cut(ip(t, "link", "show", "far"), "link/ether ")
		hardware, _, _ = strings.Cut(after, " ")
		ip(t, "addr", "flush", "dev", "far")
	})
	ip(t, "neigh", "replace", there, "lladdr", hardware, "dev", c.device, "nud", "permanent")
}
