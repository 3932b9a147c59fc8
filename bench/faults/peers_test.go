package faults_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"belfry/internal/testpg"
)

// ask is a request for a stream as it goes over the wire.
func ask(cookie string) string {
	return "GET /sse/stream HTTP/1.1\r\nHost: x\r\nCookie: " + cookie + "\r\n\r\n"
}

// openCount is how many streams a node has open.
func (m *member) openCount(t *testing.T) int {
	t.Helper()
	v, err := m.vitals(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return int(v.streams)
}

// readSlowly reads a byte a second of more than fits anywhere. It has to be cut off, and nobody else may notice.
func readSlowly(t *testing.T, line *row) {
	w := newWorld(t, site{people: fewPeople, rate: lowRate, cluster: testpg.NewCluster(t)})
	node, slow := w.nodes[0], w.people[0]
	before := node.openCount(t)
	conn, err := (&net.Dialer{Control: smallBuffer}).DialContext(t.Context(), "tcp", node.Address())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, ask(w.cookies[slow].Cookie)); err != nil {
		t.Fatal(err)
	}
	w.await("the slow stream", func() bool { return node.openCount(t) > before })
	w.publish()
	began := time.Now()
	ended := readByBytes(conn)
	flood, stop := context.WithCancel(t.Context())
	var flooding sync.WaitGroup
	flooding.Go(func() { w.flood(flood, slow) })
	const bound = 40 * time.Second // of the queue's bytes, then of one write
	for node.openCount(t) > before && time.Since(began) < bound {
		sent := time.Now()
		line.during = append(line.during, w.probe(wellWithin).since(sent)...)
	}
	line.note = fmt.Sprintf("cut off after %.1f s", time.Since(began).Seconds())
	if node.openCount(t) > before {
		line.breaks(broken, slow, "a reader of a byte a second is still there after %v", bound)
	}
	if late := longest(line.during); late > slack {
		line.breaks(broken, slow, "another reader waited %v for a letter meanwhile", late)
	}
	stop()
	flooding.Wait()
	_ = conn.Close()
	<-ended
	line.recovers(w.load)
	b, wrong, _ := w.end()
	line.add(b, wrong)
}

// readByBytes reads a byte a second until there is nobody to read from.
func readByBytes(conn net.Conn) <-chan struct{} {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		one := make([]byte, 1)
		for {
			if _, err := conn.Read(one); err != nil {
				return
			}
			time.Sleep(time.Second)
		}
	}()
	return ended
}

// smallBuffer keeps the kernel from taking in for the reader what it does not read.
func smallBuffer(_, _ string, raw syscall.RawConn) error {
	var fault error
	err := raw.Control(func(fd uintptr) { fault = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4096) })
	return errors.Join(err, fault)
}

// flood sends large letters to one person until ctx ends. They are in the ledger like others.
func (w *world) flood(ctx context.Context, to string) {
	const flooder = 2000
	body := strings.Repeat("x", 15<<10)
	for n := 1; ctx.Err() == nil; n++ {
		which := letter{flooder, n}
		line := sent{to: []string{to}, asked: time.Now()}
		w.note(which, line)
		answer, _ := w.tryWith(w.callers[len(w.callers)-1], which, map[string]any{"to": map[string]any{"users": line.to}, "title": "flood", "body": body, "data": which})
		answer.to, answer.asked, answer.told = line.to, line.asked, time.Now()
		w.note(which, answer)
	}
}
