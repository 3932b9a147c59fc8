package stream

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// comeBack is how long a reader waits before it tries again: short, so that a test sees many returns.
const comeBack = 20 * time.Millisecond

// away is how the answer of a proxy begins that finds no node: a comment, which no node of ours sends.
const away = ": "

// Reader follows one stream over any number of connections, as a client has to: it remembers the last
// id and sends it when it comes back.
type Reader struct {
	URL    string
	Header http.Header
	LastID string // where to begin; empty = from the head on

	// Client makes the connections. Its zero value will do where no proxy with TLS stands between.
	Client http.Client
	// Proxied lets a proxy answer for a missing node: a comment, and when to come back.
	Proxied bool
	// Silence is how long a connection may say nothing before it counts as dead; 0 = for ever. An answer
	// may take four times as long: a server that many come back to at once is slow, not dead.
	Silence time.Duration
	// Wait says how long to wait before the next try: after so many in a row that failed, and with what
	// the server asked for, 0 when it asked for nothing. Nil: a few milliseconds, whatever it asks.
	Wait func(failed int, asked time.Duration) time.Duration

	// What happened so far; to be read after Follow has returned.
	Connections int // that were answered with a stream
	Resumed     int // of them, those that continued from LastID
	Resets      int
	Pauses      int

	failed int           // tries in a row that found nobody
	asked  time.Duration // what the last pause, or the proxy, asked to wait
}

// New makes a reader of a path with a session's cookie.
func New(base, path, cookie string) *Reader {
	return &Reader{URL: base + path, Header: http.Header{"Cookie": {cookie}}}
}

// Follow hands on every event, those without a position too, until each says no or ctx ends. A cut
// connection, a refused one and a pause lead to another try; an error is what should not be: a
// status that is not 200, a fault of the wire, a stream that does not begin as promised.
func (r *Reader) Follow(ctx context.Context, each func(Event) bool) error {
	for {
		done, err := r.connection(ctx, each)
		if done || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(r.wait()):
		}
	}
}

func (r *Reader) wait() time.Duration {
	if r.Wait == nil {
		return comeBack
	}
	return r.Wait(r.failed, r.asked)
}

// Once reads one connection to its end.
func (r *Reader) Once(ctx context.Context, each func(Event) bool) error {
	_, err := r.connection(ctx, each)
	return err
}

func (r *Reader) connection(ctx context.Context, each func(Event) bool) (done bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r.asked = 0
	r.failed++ // until an event says otherwise
	alive := func() {}
	if r.Silence > 0 {
		silence := time.AfterFunc(4*r.Silence, cancel)
		defer silence.Stop()
		alive = func() { silence.Reset(r.Silence) }
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, r.URL, nil)
	if err != nil {
		return true, err
	}
	request.Header = r.Header.Clone()
	if r.LastID != "" {
		request.Header.Set("Last-Event-ID", r.LastID)
	}
	response, err := r.Client.Do(request)
	if err != nil {
		return false, nil // nobody there: the next try may find somebody
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return true, fmt.Errorf("GET %s: %s", request.URL.Path, response.Status)
	}
	body := bufio.NewReader(response.Body)
	if start, err := body.Peek(len(away)); r.Proxied && err == nil && string(start) == away {
		r.asked = retryOf(body)
		return false, nil
	}
	first := true
	var fault error
	wire := Scan(heard{body, alive}, func(e Event) bool {
		r.failed = 0
		if first {
			first = false
			if fault = r.begin(e); fault != nil {
				return false
			}
		}
		r.note(e)
		done = !each(e)
		return !done
	})
	return done || wire != nil || fault != nil, errors.Join(wire, fault)
}

// heard says of everything that comes that the connection lives.
type heard struct {
	io.Reader
	alive func()
}

func (h heard) Read(b []byte) (int, error) {
	n, err := h.Reader.Read(b)
	if n > 0 {
		h.alive()
	}
	return n, err
}

// retryOf finds what a proxy's own answer asks to wait; 0 when it asks for nothing.
func retryOf(answer io.Reader) time.Duration {
	text, _ := io.ReadAll(io.LimitReader(answer, maxLine)) // cut short it asks for nothing
	for line := range strings.Lines(string(text)) {
		if ms, err := strconv.Atoi(strings.TrimSpace(strings.TrimPrefix(line, "retry:"))); err == nil {
			return time.Duration(ms) * time.Millisecond
		}
	}
	return 0
}

// begin checks the first event of a connection.
func (r *Reader) begin(e Event) error {
	switch e.Name {
	case "pause": // the server cannot take it now
		return nil
	case "hello":
		var hello struct{ Resumed bool }
		if err := json.Unmarshal([]byte(e.Data), &hello); err != nil {
			return fmt.Errorf("hello: %w", err)
		}
		r.Connections++
		if hello.Resumed {
			r.Resumed++
		}
		if e.ID == "" || e.Retry == 0 {
			return fmt.Errorf("hello without id or retry: %+v", e)
		}
		return nil
	case "lock": // an ended session says this and nothing else
		return nil
	}
	return fmt.Errorf("a stream begins with %q", e.Name)
}

func (r *Reader) note(e Event) {
	if e.ID != "" {
		r.LastID = e.ID
	}
	switch e.Name {
	case "reset":
		r.Resets++
	case "pause":
		r.Pauses++
		r.asked = e.Retry
	}
}
