package services

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net"
	"os"
	"time"

	"belfry/models"
	"belfry/services/hub"
	"belfry/services/journal"
)

// Stream is one open stream.
type Stream struct {
	streams *Streams
	conn    *hub.Conn
	user    int64
	session string // empty for a ticket that a key minted
	began   models.Instant
	pull    puller // nil: the stream is of the log
}

// puller reads what a stream sends that is not of the log.
type puller interface {
	// step has the stream send what comes next, if there is anything.
	step(ctx context.Context, st *Stream) error
	// leave takes the stream off the list of those who are told that there is something.
	leave(st *Stream)
	// kind names what it reads.
	kind() string
}

// Attach gives the stream a connection that the HTTP server lets go of, to write head and first to, as chunks, and then
// what comes, until the client is gone or the server ends the stream. The connection is the stream's from then on.
func (st *Stream) Attach(take func() (net.Conn, error), head, first []byte) error {
	s := st.streams
	s.mu.Lock()
	s.sockets++ // before it is taken: from that moment on the HTTP server does not wait for it
	s.mu.Unlock()
	conn, err := take()
	if err == nil {
		if st.pull == nil {
			// What memory has goes out together with the head. Whatever else comes after it.
			s.hub.Replay(st.conn, s.journal.Trimmed())
		}
		if err = st.conn.Attach(conn, head, first, st); err != nil {
			_ = conn.Close()
		}
	}
	if err != nil {
		st.Closed()
		return err
	}
	if s.isDraining() {
		st.conn.End(Away()) // it was opened while the others were sent away
	}
	return nil
}

// Feed takes a step of the replay, or sends the client away.
func (st *Stream) Feed() {
	if err := st.step(context.Background()); err != nil { // the step has its own deadline, and a closed connection makes it nothing
		st.conn.End(st.broken(err))
	}
}

// Closed is told when the connection is no more.
func (st *Stream) Closed() {
	st.close()
	s := st.streams
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sockets--; s.sockets == 0 && s.none != nil {
		close(s.none)
		s.none = nil
	}
}

// Serve writes first, then what comes, until the client is gone, the server ends the stream, or a
// write fails. write has to give up on its own when the client does not read.
func (st *Stream) Serve(ctx context.Context, first []byte, write func([]byte) error) error {
	defer st.close()
	if st.streams.isDraining() {
		return write(Away()) // it was opened while the others were sent away
	}
	if err := write(first); err != nil {
		return err
	}
	for {
		texts, replay, over := st.conn.Next(ctx)
		if len(texts) > 0 {
			if err := write(bytes.Join(texts, nil)); err != nil {
				if errors.Is(err, os.ErrDeadlineExceeded) {
					st.conn.Stalled()
				}
				return err
			}
		}
		switch {
		case over:
			return ctx.Err()
		case replay:
			if err := st.step(ctx); err != nil {
				return write(st.broken(err))
			}
		}
	}
}

// step goes on with what the stream has not had yet.
func (st *Stream) step(ctx context.Context) error {
	if st.pull != nil {
		return st.pull.step(ctx, st)
	}
	return st.replay(ctx)
}

func (st *Stream) broken(err error) []byte {
	st.streams.log.Warn("a replay broke off; the stream is sent away for a while", "error", err)
	return pauseFrame(jitter(time.Second, 5*time.Second))
}

// forget takes the stream off the lists.
func (st *Stream) forget() {
	st.streams.hub.Remove(st.conn)
	if st.session != "" {
		st.streams.watches.remove(st.session)
	}
	if st.pull != nil {
		st.pull.leave(st)
	}
}

func (st *Stream) close() {
	st.streams.dismiss(st.user, st)
	st.forget()
	if cause := st.conn.Cause(); cause.Evicts() {
		st.streams.log.Info("a stream was cut: it read too slowly", "user_id", st.user, "cause", cause.String())
	}
}

func pingFrame(now time.Time) []byte {
	return hub.Event{Name: "ping", Data: []byte(`{"now":` + quoted(models.InstantOf(now)) + `}`)}.Encode()
}

func quoted(i models.Instant) string { return `"` + i.String() + `"` }

// frame encodes an entry once for all who get it; nil for what is no event by itself, or none any more.
func (s *Streams) frame(e *journal.Entry) *hub.Frame {
	if e.WithdrawnAt != 0 || (e.ExpiresAt != 0 && e.ExpiresAt <= time.Now().UnixMilli()) {
		return nil
	}
	id := s.journal.Position(e.Offset).String()
	switch e.Kind {
	case kindNotice:
		f := hub.NewFrame(hub.Event{ID: id, Name: "notice", Data: noticeFrame(e, id)}.Encode()).Nameless(len("event: notice\n"))
		f.Offset, f.Class, f.ExpiresAt = e.Offset, ClassNotice, e.ExpiresAt
		return f
	case kindNoticeState:
		f := hub.NewFrame(hub.Event{ID: id, Name: "notice_state", Data: e.Payload}.Encode())
		f.Offset, f.Class = e.Offset, ClassNoticeState
		return f
	case kindTask:
		f := hub.NewFrame(hub.Event{ID: id, Name: "task", Data: taskFrame(e)}.Encode())
		f.Offset, f.Class = e.Offset, ClassTask
		return f
	default:
		return nil
	}
}

// Follow feeds the streams of this node from the log until ctx ends.
func (s *Streams) Follow(ctx context.Context, hints <-chan struct{}) {
	s.journal.Follow(ctx, hints, s.deliver, func(head journal.Head) {
		s.summaries.clear(head.Offset)
		s.hub.Reset(head.Offset)
		for _, c := range s.hub.All() {
			c.End(Away()) // they come back with positions that get a reset
		}
	})
}

func (s *Streams) deliver(e journal.Entry) {
	s.entries.inc(e.Kind)
	frame := s.frame(&e)
	if frame != nil {
		frame.Committed(s.journal.Age(e.CreatedAt))
	}
	s.summaries.apply(&e) // first: whoever the hub tells of it may ask for the count at once
	if e.Kind == kindNoticeState && e.Subject != e.Offset {
		s.hub.Void(e.Subject, e.Audiences)
	}
	following := follow(&e, frame)
	following.handed(&e, s.hub.Deliver(e.Offset, e.Audiences, frame), s.log)
	if frame != nil || len(e.Audiences) == 0 {
		return
	}
	audience := e.Audiences[0]
	switch e.Kind {
	case kindLock:
		s.deliverLock(&e, audience)
	case kindMembership:
		s.deliverMembership(&e, audience)
	case kindAccount, kindKeyRevoked:
		s.deliverRefusal(&e, audience)
	}
}

// deliverRefusal ends the streams that a key's tickets opened, when the key was revoked or the person shut out.
// Session streams have got their own entry.
func (s *Streams) deliverRefusal(e *journal.Entry, audience string) {
	var event accountEvent
	if err := json.Unmarshal(e.Payload, &event); err != nil {
		s.log.Error("an account entry cannot be read", "offset", e.Offset, "error", err)
		return
	}
	changed := e.Kind == kindAccount && event.State != accountDisabled
	for _, c := range s.hub.Of(audience) {
		switch {
		case e.Kind == kindAccount && !c.Without(lockPrefix):
		case !changed:
			c.End(nil)
		case c.Pulling():
			c.End(Away()) // it was opened by a role that may be another now
		}
	}
}

// deliverLock tells a session's streams of its new state, and withholds or releases entries at
// exactly this place of the log.
func (s *Streams) deliverLock(e *journal.Entry, audience string) {
	var event LockEvent
	if err := json.Unmarshal(e.Payload, &event); err != nil {
		s.log.Error("a lock entry cannot be read", "offset", e.Offset, "error", err)
		return
	}
	state := models.SessionState(event.State)
	s.watches.outdate(audience)
	for _, c := range s.hub.Of(audience) {
		if c.Knows(e.Offset) && state != models.SessionEnded {
			continue
		}
		switch state {
		case models.SessionLocked:
			c.Hold(lockFrame(event, ""))
		case models.SessionEnded:
			c.End(lockFrame(event, s.journal.Position(e.Offset).String()))
		case models.SessionActive:
			c.Release(lockFrame(event, ""))
		}
	}
	s.watches.changed(audience, state, event)
	s.changes.inc(event.State)
	if state != models.SessionActive {
		s.lockLag.Observe(int64(s.journal.Age(e.CreatedAt)))
	}
}

func (s *Streams) deliverMembership(e *journal.Entry, audience string) {
	var event membershipEvent
	if err := json.Unmarshal(e.Payload, &event); err != nil {
		s.log.Error("a membership entry cannot be read", "offset", e.Offset, "error", err)
		return
	}
	group := groupAudience(event.GroupID)
	if event.JoinedOffset == 0 {
		s.hub.Revoke(audience, group)
		return
	}
	s.hub.Grant(audience, journal.Grant{Audience: group, After: event.JoinedOffset})
}
