package main

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"belfry/bench/stream"
)

// reader follows one stream over any number of connections, as the client library does: it remembers its
// position, waits as long as a pause tells it, and after a fault a random time that grows.
type reader struct {
	herd       *herd
	name       string // whose stream it is
	credential string // a line of the request's head
	node       int    // of which the next connection is
	opened     func() // told of the first hello

	lastID string
	from   int64        // the offset it began at
	at     atomic.Int64 // the offset it has got to

	got      []int64 // offsets of notices, each once
	tries    []time.Time
	opens    []time.Time
	pauses   int // that ended a stream
	sentAway int // pauses in place of a stream
	failures int // connections that were refused or cut
	resets   int
	repeated int // notices that came again
	disorder int // notices that came after a later one, and had not come before
	foreign  int // another's notices
	fault    error
}

// The bounds of the wait after a fault.
const (
	waitLeast = time.Second
	waitMost  = 30 * time.Second
)

func (r *reader) follow(ctx context.Context) {
	for faults := 0; ctx.Err() == nil; {
		opens := len(r.opens)
		wait, paused := r.connection(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case paused:
			faults = 0
		default:
			r.failures++
			if len(r.opens) > opens {
				faults = 0
			}
			faults = min(faults+1, 10)
			ceiling := min(waitMost, waitLeast<<faults)
			wait = waitLeast + rand.N(ceiling-waitLeast)
		}
		if !r.herd.same {
			r.node = (r.node + 1) % herdNodes
		}
		if !await(ctx, time.Now().Add(wait)) {
			return
		}
	}
}

// connection reads one connection to its end, and says how long a pause wants one to wait.
func (r *reader) connection(ctx context.Context) (wait time.Duration, paused bool) {
	r.tries = append(r.tries, time.Now())
	address := r.herd.site.nodes[r.node].Address()
	conn, err := (&net.Dialer{Timeout: wireTimeout}).DialContext(ctx, "tcp", address)
	if err != nil {
		return 0, false
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	head := "GET /sse/stream HTTP/1.1\r\nHost: " + address + "\r\n" + r.credential + "\r\n"
	if r.lastID != "" {
		head += "Last-Event-ID: " + r.lastID + "\r\n"
	}
	if _, err := conn.Write([]byte(head + "\r\n")); err != nil {
		return 0, false
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0, false
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		r.fault = fmt.Errorf("GET /sse/stream: %s", response.Status)
		return 0, false
	}
	open := false
	fault := stream.Scan(response.Body, func(e stream.Event) bool {
		switch e.Name {
		case "hello":
			r.begin(e)
			open = true
			r.herd.live.Add(1)
			r.opened()
		case "pause":
			wait, paused = e.Retry, true
		default:
			r.note(e)
		}
		return !paused
	})
	switch {
	case fault != nil && ctx.Err() == nil:
		r.fault = fault
	case paused && open:
		r.pauses++
	case paused:
		r.sentAway++
	}
	if open {
		r.herd.live.Add(-1)
	}
	return wait, paused
}

func (r *reader) begin(e stream.Event) {
	if r.lastID == "" {
		r.from = offset(e.ID)
	}
	r.lastID = e.ID
	r.at.Store(max(r.at.Load(), offset(e.ID)))
	r.opens = append(r.opens, time.Now())
}

func (r *reader) note(e stream.Event) {
	if e.ID == "" {
		return
	}
	r.lastID = e.ID
	at := offset(e.ID)
	switch {
	case e.Name == "reset":
		r.resets++
	case e.Name != "notice":
	case !strings.Contains(e.Data, forEveryone) && !strings.Contains(e.Data, addressee(r.name)):
		r.foreign++
	case at > r.at.Load():
		r.got = append(r.got, at)
	case has(r.got, at):
		r.repeated++
	default:
		r.disorder++
		r.got = append(r.got, at)
	}
	r.at.Store(max(r.at.Load(), at))
}

// offset is the second half of an id.
func offset(id string) int64 {
	_, digits, _ := strings.Cut(id, "-")
	n, _ := strconv.ParseInt(digits, 10, 64) // one that is none is before everything
	return n
}
