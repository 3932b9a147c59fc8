package client

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// The names of the events that [Client.Tail] and [Session.Tail] give.
const (
	EventHello       = "hello"        // a connection is open; Data has the unread count
	EventLock        = "lock"         // the session's state, of a session's stream alone
	EventNotice      = "notice"       // Data is a [ReceivedNotice]
	EventNoticeState = "notice_state" // something was done with notices
	EventTask        = "task"         // a task has begun or ended
	EventReset       = "reset"        // what came between cannot be had any more: load the inbox
)

// ErrSessionEnded is the end of a stream whose session is over: signing in again begins a new one.
var ErrSessionEnded = errors.New("client: the session has ended")

// Event is one event of a person's stream.
type Event struct {
	ID   string          `json:"id,omitempty"` // where the stream stands after it; empty for those that do not move it
	Name string          `json:"event"`
	Data json.RawMessage `json:"data"`
}

// ReceivedNotice is a notice as its reader gets it.
type ReceivedNotice struct {
	ID          int64           `json:"id"`
	Cursor      string          `json:"cursor"`
	Title       string          `json:"title"`
	Body        string          `json:"body"`
	Format      string          `json:"format"`
	URL         string          `json:"url"`
	Actions     []Action        `json:"actions"`
	Severity    string          `json:"severity"`
	Category    string          `json:"category"`
	Sender      Sender          `json:"sender"`
	Data        json.RawMessage `json:"data"`
	CollapseKey string          `json:"collapse_key"`
	CreatedAt   time.Time       `json:"created_at"`
	ExpiresAt   *time.Time      `json:"expires_at"`
}

// Sender is who sent a notice: a user, a key or the system.
type Sender struct {
	Type string `json:"type"`
	Name string `json:"name"`
}

// TailOptions say what to follow. The zero value is everything, from now on.
type TailOptions struct {
	// LastID is where to begin: the ID of the last event that was dealt with, or an inbox's cursor.
	LastID string
	// Events narrows the stream to these names; hello, lock and reset come always.
	Events []string
}

// The waits of a stream that was cut.
const (
	minReturn = time.Second // full jitter between this …
	maxReturn = 30 * time.Second
	maxPause  = 5 * time.Minute // what a server may ask for at most: a wrong clock must not end the watch
	firstBeat = 15 * time.Second
	openLimit = 30 * time.Second // until the answer begins
)

// tail is one follower of a stream, over any number of connections.
type tail struct {
	client  *http.Client
	address string
	mint    func(context.Context) (*Ticket, error)
	backoff time.Duration // the shortest of the longest waits

	last      string // the position
	ticket    string
	heartbeat time.Duration
	failed    int           // tries in a row that brought no hello
	pause     time.Duration // what the server asked to wait; -1 = it did not
}

func newTail(c *http.Client, base string, o TailOptions, mint func(context.Context) (*Ticket, error)) *tail {
	address := base + "/sse/stream"
	if len(o.Events) > 0 {
		address += "?" + url.Values{"event": o.Events}.Encode()
	}
	streams := *c
	streams.Timeout = 0 // it would end a stream that is well; the watch on silence takes its place
	return &tail{client: &streams, address: address, mint: mint, backoff: minReturn, last: o.LastID, heartbeat: firstBeat}
}

// events gives each event once and in order, until the caller has enough, ctx ends, or there is no way to go on:
// then the last pair has the error.
func (t *tail) events(ctx context.Context) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		for {
			t.pause = -1
			over, err := t.connection(ctx, func(e Event) bool { return yield(e, nil) })
			switch {
			case over:
				return
			case ctx.Err() != nil:
				yield(Event{}, ctx.Err())
				return
			case err != nil && !Temporary(err) && !errors.Is(err, io.EOF):
				yield(Event{}, err)
				return
			}
			if !sleep(ctx, t.wait(err)) {
				yield(Event{}, ctx.Err())
				return
			}
		}
	}
}

// wait is how long until the next try: what the server asked for, else a random part of a growing time, so that many
// who were cut at once do not come back at once.
func (t *tail) wait(err error) time.Duration {
	if t.pause >= 0 {
		return min(t.pause, maxPause)
	}
	most := min(t.backoff<<min(t.failed, 5), maxReturn)
	wait := rand.N(most + 1) //nolint:gosec // a jitter is no secret
	if p, ok := errors.AsType[*Problem](err); ok {
		wait += p.RetryAfter
	}
	return wait
}

// connection follows one connection to its end. over means that the caller has enough.
func (t *tail) connection(ctx context.Context, each func(Event) bool) (over bool, err error) {
	t.failed++ // until a hello says otherwise
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	silence := time.AfterFunc(openLimit, cancel)
	defer silence.Stop()
	resp, err := t.open(ctx)
	if err != nil {
		return false, t.broken(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusNoContent {
		return false, ErrSessionEnded
	}
	alive := func() { silence.Reset(t.heartbeat * 5 / 2) }
	alive()
	reader := newEventReader(heard{resp.Body, alive})
	for {
		b, err := reader.next()
		if err != nil {
			return false, t.broken(err)
		}
		if b.data == "" { // no event
			if b.hasID {
				t.last = b.id
			}
			if b.retry > 0 {
				t.pause = b.retry // of a proxy that finds no node
			}
			continue
		}
		done, err := t.take(b, each)
		if done || err != nil {
			return done, err
		}
	}
}

// broken makes the end of a connection one that a later try may mend, unless it is a refusal.
func (t *tail) broken(err error) error {
	if _, refused := errors.AsType[*Problem](err); refused || errors.Is(err, errLongEvent) {
		return err
	}
	return io.EOF
}

// open asks for the stream with the ticket at hand, and with a new one where that has run out.
func (t *tail) open(ctx context.Context) (*http.Response, error) {
	if t.ticket != "" {
		resp, err := t.ask(ctx)
		if p, refused := errors.AsType[*Problem](err); !refused || p.Status != http.StatusUnauthorized {
			return resp, err
		}
	}
	ticket, err := t.mint(ctx)
	if err != nil {
		return nil, err
	}
	t.ticket = ticket.Token
	return t.ask(ctx)
}

func (t *tail) ask(ctx context.Context) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, t.address, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+t.ticket)
	req.Header.Set("Accept", "text/event-stream")
	if t.last != "" {
		req.Header.Set("Last-Event-ID", t.last)
	}
	resp, err := t.client.Do(req)
	if err != nil {
		return nil, err
	}
	media, _, _ := strings.Cut(resp.Header.Get("Content-Type"), ";")
	if resp.StatusCode == http.StatusNoContent || resp.StatusCode == http.StatusOK && media == "text/event-stream" {
		return resp, nil
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusOK {
		return nil, &Problem{Status: http.StatusOK, Title: "the answer is no event stream: this is not Belfry, or a proxy answers for it"}
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, err
	}
	return nil, problemOf(resp, text)
}

// take deals with one event.
func (t *tail) take(b block, each func(Event) bool) (over bool, err error) {
	switch b.name {
	case "ping":
		return false, nil
	case "pause":
		t.pause = b.retry
		if back, err := strconv.ParseInt(b.data, 10, 64); b.retry == 0 && err == nil {
			t.pause = max(time.Until(time.UnixMilli(back)), 0)
		}
		return false, nil
	case EventHello:
		t.failed = 0
		var hello struct {
			HeartbeatMS int64 `json:"heartbeat_ms"`
		}
		if json.Unmarshal([]byte(b.data), &hello) == nil && hello.HeartbeatMS > 0 {
			t.heartbeat = time.Duration(hello.HeartbeatMS) * time.Millisecond
		}
	case EventNotice, EventNoticeState, EventTask:
		if !after(b.id, t.last) {
			return false, nil // it was seen before the cut
		}
	}
	ended := b.name == EventLock && stateOf(b.data) == "ended"
	if b.hasID && !ended { // the position of the end leads to no new session
		t.last = b.id
	}
	if !each(Event{ID: b.id, Name: b.name, Data: json.RawMessage(b.data)}) {
		return true, nil
	}
	if ended {
		return false, ErrSessionEnded
	}
	return false, nil
}

func stateOf(data string) string {
	var lock struct{ State string }
	_ = json.Unmarshal([]byte(data), &lock) // then it is no state that we know
	return lock.State
}

// after reports whether a position lies behind another one. Of different epochs it does: a reset said so.
func after(id, last string) bool {
	epoch, offset, ok := position(id)
	lastEpoch, lastOffset, lastOK := position(last)
	return !ok || !lastOK || epoch != lastEpoch || offset > lastOffset
}

func position(id string) (epoch string, offset uint64, ok bool) {
	epoch, digits, found := strings.Cut(id, "-")
	offset, err := strconv.ParseUint(digits, 10, 64)
	return epoch, offset, found && err == nil
}

// heard tells of everything that is read.
type heard struct {
	r    io.Reader
	told func()
}

func (h heard) Read(p []byte) (int, error) {
	n, err := h.r.Read(p)
	if n > 0 {
		h.told()
	}
	return n, err
}
