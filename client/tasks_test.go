package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// logServer keeps one log. faults[n] says what becomes of the nth append: "lost" does it and does not answer, "half" does
// half of it and does not answer, "away" does nothing.
type logServer struct {
	mu     sync.Mutex // guards all below: each try may come by another connection
	text   []byte
	faults []string
	keys   map[string]int // how often each was sent
	done   map[string]int // the end after it
}

func (l *logServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	l.mu.Lock()
	defer l.mu.Unlock()
	key, fault := r.Header.Get("Idempotency-Key"), ""
	if len(l.faults) > 0 {
		fault, l.faults = l.faults[0], l.faults[1:]
	}
	l.keys[key]++
	if end, again := l.done[key]; again {
		ok(200, fmt.Sprintf(`{"end": %d}`, end))(w, r)
		return
	}
	if fault == "away" {
		refuse(503, `{}`)(w, r)
		return
	}
	if r.URL.Query().Get("offset") != strconv.Itoa(len(l.text)) {
		refuse(409, fmt.Sprintf(`{"code": "conflict", "end": %d}`, len(l.text)))(w, r)
		return
	}
	if fault == "half" {
		l.text = append(l.text, body[:len(body)/2]...)
		panic(http.ErrAbortHandler)
	}
	l.text = append(l.text, body...)
	l.done[key] = len(l.text)
	if fault == "lost" {
		panic(http.ErrAbortHandler)
	}
	ok(200, fmt.Sprintf(`{"end": %d}`, len(l.text)))(w, r)
}

func TestAppendTask(t *testing.T) {
	long := bytes.Repeat([]byte("0123456789abcdef"), 5*appendPiece/32) // two pieces and a half
	for name, faults := range map[string][]string{
		"well": nil, "away": {"away", "away"}, "an answer lost": {"lost"}, "half of it done": {"half"}, "all of it": {"half", "away", "lost", "half", "lost"},
	} {
		l := &logServer{faults: faults, keys: map[string]int{}, done: map[string]int{}}
		server := httptest.NewServer(l)
		c, err := New(server.URL, "k")
		if err != nil {
			t.Fatal(err)
		}
		c.backoff = time.Microsecond
		end, err := c.AppendTask(t.Context(), 7, 0, long)
		l.mu.Lock()
		if err != nil || end != int64(len(long)) || !bytes.Equal(l.text, long) || l.keys[""] > 0 {
			t.Errorf("%s: end %d of %d, %d bytes there, %v", name, end, len(long), len(l.text), err)
		}
		l.mu.Unlock()
		if end, err := c.AppendTask(t.Context(), 7, end, nil); err != nil || end != int64(len(long)) {
			t.Errorf("nothing: %d, %v", end, err)
		}
		_, err = c.AppendTask(t.Context(), 7, 3, []byte("x")) // somebody else has written
		if p, isProblem := errors.AsType[*Problem](err); !isProblem || p.End == nil || *p.End != int64(len(long)) {
			t.Errorf("%s: %v", name, err)
		}
		server.Close()
	}
	c, _ := serve(t, ok(200, `{"end": 99}`))
	if _, err := c.AppendTask(t.Context(), 7, 0, []byte("x")); err == nil {
		t.Error("an end beyond what was sent")
	}
}

func TestTaskCalls(t *testing.T) {
	c, calls := serve(t, refuse(503, `{}`), ok(201, `{"id": 7, "title": "T", "state": "running", "exit_code": null, "ended_at": null}`))
	task, err := c.CreateTask(t.Context(), NewTask{Title: "T", To: To{Groups: []string{"ops"}}})
	seen := calls()
	if err != nil || task.ID != 7 || len(seen) != 2 || seen[0] != seen[1] || seen[0].idempotency == "" || seen[0].body != `{"title":"T","to":{"groups":["ops"]}}` {
		t.Errorf("%+v, %v by %+v", task, err, seen)
	}
	code := int64(3)
	c, calls = serve(t, ok(200, `{"id": 7, "state": "failed", "exit_code": 3, "ended_at": "2027-01-01T00:00:00.000Z"}`))
	task, err = c.FinishTask(t.Context(), 7, TaskFailed, &code)
	if err != nil || *task.ExitCode != 3 || task.EndedAt == nil || calls()[0].body != `{"state":"failed","exit_code":3}` {
		t.Errorf("%+v, %v", task, err)
	}
	// The first try had ended it, and its answer was lost.
	c, _ = serve(t, cut, refuse(409, `{"code": "conflict"}`), ok(200, `{"id": 7, "state": "failed"}`))
	if task, err := c.FinishTask(t.Context(), 7, TaskFailed, nil); err != nil || task.State != TaskFailed {
		t.Errorf("%+v, %v", task, err)
	}
	c, _ = serve(t, refuse(409, `{"code": "conflict"}`), ok(200, `{"id": 7, "state": "canceled"}`))
	if _, err := c.FinishTask(t.Context(), 7, TaskFailed, nil); err == nil || !strings.Contains(err.Error(), "409") {
		t.Errorf("it was ended otherwise: %v", err)
	}
}

func TestTemporary(t *testing.T) {
	for err, want := range map[error]bool{
		&Problem{Status: 503}: true, &Problem{Status: 429}: true, &Problem{Status: 500}: false, &Problem{Status: 422}: false, errBroken: true, context.Canceled: false,
	} {
		if Temporary(err) != want {
			t.Errorf("%v: %v", err, !want)
		}
	}
}
