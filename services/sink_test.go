package services

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"
)

// sseEvent is one block of a stream as a reader has it.
type sseEvent struct{ id, name, data, retry string }

// parseEvents reads whole blocks, as the encoder writes them: LF alone, one space after the colon.
func parseEvents(t *testing.T, stream []byte) (events []sseEvent) {
	t.Helper()
	for block := range bytes.SplitSeq(bytes.TrimSuffix(stream, []byte("\n\n")), []byte("\n\n")) {
		var e sseEvent
		for line := range strings.SplitSeq(string(block), "\n") {
			field, value, ok := strings.Cut(line, ": ")
			if !ok {
				t.Errorf("a line without a field: %q", line)
			}
			switch field {
			case "id":
				e.id = value
			case "event":
				e.name = value
			case "retry":
				e.retry = value
			case "data":
				e.data += value
			default:
				t.Errorf("an unknown field: %q", line)
			}
		}
		events = append(events, e)
	}
	return events
}

var errGone = errors.New("the client is gone")

// sink stands for a client that reads a stream.
type sink struct {
	events chan sseEvent
	done   chan struct{} // closed when Serve has returned
	err    error         // of Serve, once done
	leave  context.CancelFunc
	wg     sync.WaitGroup
}

// stream opens a stream and reads it until the test ends or the server ends it.
func (n *node) stream(t *testing.T, req StreamRequest) *sink {
	t.Helper()
	if req.Wants == 0 {
		req.Wants = ClassAll
	}
	opening, err := n.Open(t.Context(), req)
	must(t, err)
	s := &sink{events: make(chan sseEvent, 10_000), done: make(chan struct{})}
	if opening.Stream == nil {
		s.leave = func() {}
		if !opening.NoContent {
			s.take(t, opening.First)
		}
		close(s.done)
		return s
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.leave = cancel
	s.wg.Go(func() {
		defer close(s.done)
		s.err = opening.Stream.Serve(ctx, opening.First, func(b []byte) error {
			if ctx.Err() != nil {
				return errGone
			}
			s.take(t, b)
			return nil
		})
	})
	t.Cleanup(func() { cancel(); s.wg.Wait() })
	return s
}

func (s *sink) take(t *testing.T, b []byte) {
	for _, e := range parseEvents(t, b) {
		s.events <- e
	}
}

// next waits for the next event, of the given name unless that is empty.
func (s *sink) next(t *testing.T, name string) sseEvent {
	t.Helper()
	select {
	case e := <-s.events:
		if e.name != name {
			t.Fatalf("%q came where %q was due: %+v", e.name, name, e)
		}
		return e
	case <-time.After(patience):
		t.Fatalf("no %q came", name)
		return sseEvent{}
	}
}

// hello takes the first event.
func (s *sink) hello(t *testing.T) (e sseEvent, h Hello) {
	t.Helper()
	e = s.next(t, "hello")
	must(t, json.Unmarshal([]byte(e.data), &h))
	return e, h
}

// lock takes a lock event and holds it to its state and reason, "state reason".
func (s *sink) lock(t *testing.T, want string) LockEvent {
	t.Helper()
	e := s.next(t, "lock")
	var l LockEvent
	must(t, json.Unmarshal([]byte(e.data), &l))
	have := l.State
	if l.Reason != nil {
		have += " " + string(*l.Reason)
	}
	if have != want || (e.id != "") != (l.State == "ended") {
		t.Fatalf("lock %q with id %q, want %q", have, e.id, want)
	}
	return l
}

// notice takes a notice of the given title.
func (s *sink) notice(t *testing.T, title string) sseEvent {
	t.Helper()
	e := s.next(t, "notice")
	var v NoticeView
	must(t, json.Unmarshal([]byte(e.data), &v))
	if v.Title != title || v.Cursor != e.id {
		t.Fatalf("notice %q at %s with id %s, want %q", v.Title, v.Cursor, e.id, title)
	}
	return e
}

// pause takes the pause that ends a stream.
func (s *sink) pause(t *testing.T) sseEvent {
	t.Helper()
	e := s.next(t, "pause")
	if e.id != "" || e.retry == "" {
		t.Errorf("%+v", e)
	}
	s.ended(t)
	return e
}

// ended waits for the end, and holds that nothing came before it.
func (s *sink) ended(t *testing.T) {
	t.Helper()
	select {
	case <-s.done:
	case <-time.After(patience):
		t.Fatal("the stream does not end")
	}
	s.quiet(t)
	if s.err != nil {
		t.Errorf("ended with %v", s.err)
	}
}

// quiet holds that nothing more has come by now.
func (s *sink) quiet(t *testing.T) {
	t.Helper()
	select {
	case e := <-s.events:
		t.Errorf("unexpected: %+v", e)
	default:
	}
}

// begun takes what every stream of an active session begins with.
func (s *sink) begun(t *testing.T) Hello {
	t.Helper()
	_, h := s.hello(t)
	s.lock(t, "active")
	return h
}
