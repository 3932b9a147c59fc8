package main

import (
	"fmt"
	"net"
	"testing"
	"time"

	"belfry/bench/generator"
)

// Each rival takes messages on several topics and sends them where they belong, once and in order.
func TestRivals(t *testing.T) {
	for name, serve := range rivals() {
		t.Run(name, func(t *testing.T) {
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			go func() { // a server that fails answers nothing, and that shows below
				err := serve(listener, settings{folder: t.TempDir(), chunked: true})
				t.Logf("%s ended: %v", name, err)
			}()
			drive(t, listener.Addr().String(), name == "raw1")
		})
	}
}

func drive(t *testing.T, address string, framed bool) {
	t.Helper()
	l, err := generator.New(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	const topics, streams, messages = 3, 12, 60
	l.Audiences(topics)
	for i := range streams {
		l.Open(&generator.Stream{Head: func(b, _ []byte) []byte {
			return fmt.Appendf(b, "GET /stream?topic=t%d HTTP/1.1\r\nHost: x\r\n\r\n", i%topics)
		}}, i%topics)
	}
	load := generator.Load{To: []int{0, 1, 2}, Connections: 4, UnderWay: 8, Count: messages, Request: func(b []byte, m []generator.Message) []byte {
		body := append(m[0].Mark.Append([]byte(`{"body":"`)), `"}`...)
		if framed {
			body = fmt.Appendf(nil, "data: %s\n\n", body)
			body = fmt.Appendf(nil, "%x\r\n%s\r\n", len(body), body)
		}
		return fmt.Appendf(b, "POST /publish?topic=t%d HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", m[0].To, len(body), body)
	}}
	must(l.Run("streams", 10*time.Second, l.Begun))
	must(l.RollCall(load, 10*time.Second))
	must(l.Start(&load))
	must(l.Run("messages", 10*time.Second, func() bool { return l.Published() && l.Settled() }))
	if l.Tally.Delivered != messages*streams/topics || l.Tally.Doubled+l.Tally.Foreign+l.Tally.Disorder > 0 || l.Faults() != nil {
		t.Errorf("%d delivered, %d doubled, %d foreign, %d out of order: %v", l.Tally.Delivered, l.Tally.Doubled, l.Tally.Foreign, l.Tally.Disorder, l.Faults())
	}
}
