package main

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"belfry/bench/generator"
)

// template is a notice as Belfry sends it, with a mark to be put in: what raw1 writes as it is, and whose data the
// peers are given to send.
type template struct {
	frame, data text
	chunked     bool // the frame has that of a chunk around it
}

// text is what stands before and after a mark.
type text struct{ before, after []byte }

func (x text) with(b []byte, m generator.Mark) []byte {
	return append(m.Append(append(b, x.before...)), x.after...)
}

func cut(b, mark []byte) text {
	before, after, _ := bytes.Cut(b, mark)
	return text{bytes.Clone(before), bytes.Clone(after)}
}

const (
	captureTimeout = 20 * time.Second
	lineEnd        = "\n\n"
)

// captureTemplate has a Belfry send one notice and keeps the bytes.
func captureTemplate(t testing.TB) *template {
	t.Helper()
	b := &belfry{sqlite: true}
	s := b.start(&run1{t: t, options: &options{}}, shape{streams: 1, together: true})
	conn, err := net.DialTimeout("tcp", s.address, captureTimeout) //nolint:noctx // the deadline is the bound
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(captureTimeout)) // a read fails without it, or later
	if _, err := conn.Write(s.head(nil, 0, nil)); err != nil {
		t.Fatal(err)
	}
	opening := readUntil(t, conn, func(b []byte) bool { return eventEnds(b, "event: "+s.begins) })
	head, _, _ := bytes.Cut(opening, []byte("\r\n\r\n"))
	chunked := strings.Contains(strings.ToLower(string(head)), "transfer-encoding: chunked")
	mark := generator.Mark{Audience: 0, Number: 1, Sent: 1}
	publish(t, s, generator.Message{Mark: mark})
	frame := readUntil(t, conn, func(b []byte) bool {
		return eventEnds(b, string(mark.Append(nil))) && (!chunked || bytes.HasSuffix(b, []byte(lineEnd+"\r\n")))
	})
	_, data, _ := bytes.Cut(frame, []byte("data: "))
	data, _, _ = bytes.Cut(data, []byte("\n"))
	marked := mark.Append(nil)
	if !bytes.Contains(data, marked) || bytes.Count(frame, []byte("data: ")) != 1 {
		t.Fatalf("that is not one notice: %q", frame)
	}
	return &template{frame: cut(frame, marked), data: cut(data, marked), chunked: chunked}
}

// readUntil reads what comes until it is enough.
func readUntil(t testing.TB, conn net.Conn, enough func([]byte) bool) (all []byte) {
	t.Helper()
	buffer := make([]byte, 64<<10)
	for !enough(all) {
		n, err := conn.Read(buffer)
		if err != nil {
			t.Fatalf("after %q: %v", all, err)
		}
		all = append(all, buffer[:n]...)
	}
	return all
}

// eventEnds says that an event with this in it has come to its end.
func eventEnds(b []byte, with string) bool {
	_, after, found := bytes.Cut(b, []byte(with))
	return found && bytes.Contains(after, []byte(lineEnd))
}

// publish sends one message beside the generator.
func publish(t testing.TB, s *site, m generator.Message) {
	t.Helper()
	conn, err := net.DialTimeout("tcp", s.address, captureTimeout) //nolint:noctx // the deadline is the bound
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(captureTimeout)) // a read fails without it, or later
	if _, err := conn.Write(s.request(nil, []generator.Message{m})); err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("HTTP/1.1 %d", http.StatusCreated)
	if got := readUntil(t, conn, func(b []byte) bool { return len(b) >= len(want) }); !bytes.HasPrefix(got, []byte(want)) {
		t.Fatalf("a notice was answered with %q", got)
	}
}
