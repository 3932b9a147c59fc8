package handlers_test

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

// patience is how long a test waits for what has to come. Only a failing test waits that long.
const patience = 20 * time.Second

// event is one block of a stream, as it came.
type event struct {
	id    string
	hasID bool
	name  string
	retry string
	data  string
}

// stream is an open event stream.
type stream struct {
	testing.TB
	status int
	header http.Header
	events chan event // closed at the end of the stream
	cancel context.CancelFunc
}

// open opens a stream and does not look at its answer yet.
func (c *client) open(path string) *stream {
	c.Helper()
	ctx, cancel := context.WithCancel(c.Context())
	req := c.request(http.MethodGet, path, nil).WithContext(ctx)
	resp, err := c.streams.Do(req)
	if err != nil {
		cancel()
		c.Fatal(err)
	}
	st := &stream{TB: c.TB, status: resp.StatusCode, header: resp.Header, events: make(chan event, 1024), cancel: cancel}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer close(st.events)
		defer resp.Body.Close()
		read(bufio.NewReader(resp.Body), st.events)
	}()
	c.Cleanup(func() {
		cancel()
		<-done
	})
	return st
}

// stream opens a stream that has to be one.
func (c *client) stream(path string) *stream {
	c.Helper()
	st := c.open(path)
	if st.status != http.StatusOK || st.header.Get("Content-Type") != "text/event-stream" {
		c.Fatalf("GET %s: %d %s", path, st.status, st.header.Get("Content-Type"))
	}
	return st
}

// read parses blocks as strictly as we write them: "field: value", one blank line after each block.
func read(r *bufio.Reader, events chan<- event) {
	var e event
	var data []string
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		name, value, found := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch {
		case !found && name == "":
			e.data = strings.Join(data, "\n")
			events <- e
			e, data = event{}, nil
		case name == "id":
			e.id, e.hasID = value, true
		case name == "event":
			e.name = value
		case name == "retry":
			e.retry = value
		case name == "data":
			data = append(data, value)
		default:
			e.name = "not a field: " + line
		}
	}
}

// next is the next event; the stream must not end before it.
func (st *stream) next() event {
	st.Helper()
	return st.nextUntil(time.After(patience))
}

func (st *stream) nextUntil(tooLate <-chan time.Time) event {
	st.Helper()
	select {
	case e, open := <-st.events:
		if !open {
			st.Fatal("the stream has ended")
		}
		return e
	case <-tooLate:
		st.Fatal("what has to come did not")
	}
	panic("unreachable")
}

// want is the next event, which has to have this name ("" = none). Pings on the way are passed over.
func (st *stream) want(name string) event {
	st.Helper()
	tooLate := time.After(patience) // pings do not begin it anew
	for {
		e := st.nextUntil(tooLate)
		if e.name == "ping" && name != "ping" {
			continue
		}
		if e.name != name {
			st.Fatalf("event %q, want %q: %+v", e.name, name, e)
		}
		return e
	}
}

// lock wants a lock event of this state and reason ("" = null).
func (st *stream) lock(state, reason string) event {
	st.Helper()
	e := st.want("lock")
	o := e.object(st)
	if o["state"] != state || (reason == "" && o["reason"] != nil) || (reason != "" && o["reason"] != reason) {
		st.Fatalf("lock %s, want %s %s", e.data, state, reason)
	}
	for _, member := range []string{"idle_remaining_ms", "max_remaining_ms"} {
		if n, ok := o[member].(float64); !ok || n < 0 {
			st.Fatalf("lock without %s: %s", member, e.data)
		}
	}
	if len(o) != 4 {
		st.Fatalf("lock with other members: %s", e.data)
	}
	return e
}

// hello wants the two opening events of a session's stream.
func (st *stream) hello(state, reason string) event {
	st.Helper()
	e := st.want("hello")
	st.lock(state, reason)
	return e
}

// end wants nothing more but the end.
func (st *stream) end() {
	st.Helper()
	select {
	case e, open := <-st.events:
		if open {
			st.Fatalf("%+v, want the end of the stream", e)
		}
	case <-time.After(patience):
		st.Fatal("the stream does not end")
	}
}

// close hangs up.
func (st *stream) close() {
	st.cancel()
	for range st.events { // what is still on its way
	}
}

func (e event) object(tb testing.TB) map[string]any {
	tb.Helper()
	var o map[string]any
	if err := json.Unmarshal([]byte(e.data), &o); err != nil {
		tb.Fatalf("no JSON object: %v: %+v", err, e)
	}
	return o
}

// offset takes a position apart.
func offset(tb testing.TB, position string) (epoch string, n int64) {
	tb.Helper()
	epoch, digits, found := strings.Cut(position, "-")
	n, err := strconv.ParseInt(digits, 10, 64)
	if !found || err != nil || strconv.FormatInt(n, 10) != digits || strings.Trim(epoch, "0123456789abcdefghijklmnopqrstuvwxyz") != "" {
		tb.Fatalf("%q is no position", position)
	}
	return epoch, n
}
