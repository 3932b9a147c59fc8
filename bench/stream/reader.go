package stream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// comeBack is how long a reader waits before it tries again: short, so that a test sees many returns.
const comeBack = 20 * time.Millisecond

// Reader follows one stream over any number of connections, as a client has to: it remembers the last
// id and sends it when it comes back.
type Reader struct {
	URL    string
	Header http.Header
	LastID string // where to begin; empty = from the head on

	// What happened so far; to be read after Follow has returned.
	Connections int // that were answered with a stream
	Resumed     int // of them, those that continued from LastID
	Resets      int
	Pauses      int

	client http.Client
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
		case <-time.After(comeBack):
		}
	}
}

// Once reads one connection to its end.
func (r *Reader) Once(ctx context.Context, each func(Event) bool) error {
	_, err := r.connection(ctx, each)
	return err
}

func (r *Reader) connection(ctx context.Context, each func(Event) bool) (done bool, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, r.URL, nil)
	if err != nil {
		return true, err
	}
	request.Header = r.Header.Clone()
	if r.LastID != "" {
		request.Header.Set("Last-Event-ID", r.LastID)
	}
	response, err := r.client.Do(request)
	if err != nil {
		return false, nil // nobody there: the next try may find somebody
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return true, fmt.Errorf("GET %s: %s", request.URL.Path, response.Status)
	}
	first := true
	var fault error
	wire := Scan(response.Body, func(e Event) bool {
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
	}
}
