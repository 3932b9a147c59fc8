package services

import (
	"encoding/json"
	"math/rand/v2"
	"strconv"
	"time"

	"belfry/models"
	"belfry/services/hub"
	"belfry/services/journal"
)

// Hello is the first event of a stream.
type Hello struct {
	Session     *SessionView   `json:"session"`
	Unread      *int64         `json:"unread"`
	Head        string         `json:"head"`
	Resumed     bool           `json:"resumed"`
	HeartbeatMS int64          `json:"heartbeat_ms"`
	Now         models.Instant `json:"now"`
}

// ResetEvent says that what lies between the client's position and Head cannot be replayed.
type ResetEvent struct {
	Reason string `json:"reason"`
	Head   string `json:"head"`
}

// retryHello is what a browser waits by itself after a cut.
const retryHello = 2 * time.Second

// Room for most.
const (
	helloSize     = 1 << 10
	lockSize      = 128
	lockFrameSize = lockSize + 32
)

func (s *Streams) firstFrames(who *identity, from start, sum *Summary) []byte {
	epoch := sum.Head.Epoch
	at := journal.Position{Epoch: epoch, Offset: from.pos}.String()
	hello := Hello{Unread: &sum.Unread, Head: journal.Position{Epoch: epoch, Offset: sum.Head.Offset}.String(),
		Resumed: from.asked && from.refused == "", HeartbeatMS: s.settings.Heartbeat.Milliseconds(), Now: sum.Now}
	var lock LockEvent
	if l := who.live; l != nil {
		view := s.sessions.View(l, true)
		hello.Session = &view
		if l.Verdict.State != models.SessionActive {
			hello.Unread = nil
		}
		lock = s.sessions.present(l.Verdict)
	}
	data := hello.appendJSON(make([]byte, 0, helloSize))
	event := hub.Event{ID: at, Name: "hello", Retry: retryHello, Data: data}
	first := event.Append(make([]byte, 0, event.Size()+lockFrameSize))
	if who.live != nil {
		first = appendLockFrame(first, lock, "")
	}
	if from.refused == "" {
		return first
	}
	return append(first, resetFrame(from.refused, at)...)
}

func resetFrame(reason, head string) []byte {
	data, err := json.Marshal(ResetEvent{Reason: reason, Head: head})
	if err != nil {
		panic("services: a reset has no JSON: " + err.Error()) // strings always have
	}
	return hub.Event{ID: head, Name: "reset", Data: data}.Encode()
}

func lockFrame(event LockEvent, id string) []byte {
	return appendLockFrame(make([]byte, 0, lockFrameSize+len(id)), event, id)
}

func appendLockFrame(b []byte, event LockEvent, id string) []byte {
	return hub.Event{ID: id, Name: "lock", Data: event.appendJSON(make([]byte, 0, lockSize))}.Append(b)
}

// pauseFrame sends a client away for the given time.
func pauseFrame(wait time.Duration) []byte {
	back := strconv.FormatInt(time.Now().Add(wait).UnixMilli(), 10)
	return hub.Event{Name: "pause", Retry: wait, Data: []byte(back)}.Encode()
}

func jitter(from, to time.Duration) time.Duration {
	return (from + rand.N(to-from)).Truncate(time.Millisecond) //nolint:gosec // spreads load; nothing secret
}

// overLimit sends away whoever has as many streams as one may have.
func overLimit() []byte { return pauseFrame(jitter(5*time.Second, 30*time.Second)) }
