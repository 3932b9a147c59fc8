package generator

import (
	"errors"
	"fmt"
	"io"
	"time"
)

// Stream is one stream, over one connection after the other.
type Stream struct {
	// Head gives the request, with the last id that came; empty = none.
	Head func(b []byte, lastID []byte) []byte
	// Begins names the event that tells that the stream is live; empty: the head of the answer does.
	Begins string
	// Untimed deliveries count, but not their latency: what a lock withholds comes late by right.
	Untimed bool
	// Number is for who opens the stream.
	Number int

	loop          *Loop
	fd            int // -1: not connected
	request       []byte
	response      response
	events        events
	subscriptions []subscription
	lastID        []byte
	begun, called bool
	asked         int64         // when the connection was asked for, ns since 1970
	took          time.Duration // from then until it had begun
	back          time.Time     // when it is to come back
	now           int64         // of the piece that is being read
	onBody        func([]byte)
	onEvent       func(*Event)
}

// Open adds a stream of these audiences. It is opened while Run runs.
func (l *Loop) Open(s *Stream, audiences ...int) {
	s.loop, s.fd = l, -1
	s.onBody, s.onEvent = s.body, s.event
	for _, to := range audiences {
		a := &l.ledger.audiences[to]
		a.streams++
		s.subscriptions = append(s.subscriptions, subscription{audience: to, from: a.sent, untimed: s.Untimed})
	}
	l.streams = append(l.streams, s)
	l.opening = append(l.opening, s)
}

// Begun says that all streams have begun.
func (l *Loop) Begun() bool { return l.begun == len(l.streams) }

// Reset resets the connections of all streams at once.
func (l *Loop) Reset() {
	for _, s := range l.streams {
		if s.fd >= 0 {
			l.sockets[s.fd] = nil
			reset(s.fd)
			s.leave()
		}
	}
}

// Cut resets the connection of one stream, which comes back in its turn with the last id that came.
func (l *Loop) Cut(s *Stream) {
	if s.fd < 0 {
		return // it waits for its turn already
	}
	l.sockets[s.fd] = nil
	reset(s.fd)
	s.leave()
	l.opening = append(l.opening, s)
}

// Reopen has all streams come back, with the last id that came: as many at once as there are.
func (l *Loop) Reopen() error {
	for _, s := range l.streams {
		if err := s.connect(); err != nil {
			return err
		}
	}
	return nil
}

// Opening is how long the streams took from the first step to connect until they had begun, the last time.
func (l *Loop) Opening() *Histogram {
	var h Histogram
	for _, s := range l.streams {
		h.Add(s.took)
	}
	return &h
}

// Has says whether the stream was given a position.
func (s *Stream) Has() bool { return len(s.lastID) > 0 }

// openNext opens the streams whose turn it is.
func (l *Loop) openNext() error {
	for len(l.away) > 0 && !time.Now().Before(l.away[0].back) {
		l.opening = append(l.opening, l.away[0])
		l.away = l.away[1:]
	}
	for len(l.opening) > 0 && l.halfway < atOnce {
		s := l.opening[0]
		l.opening = l.opening[1:]
		if err := s.connect(); err != nil {
			return err
		}
	}
	return nil
}

func (s *Stream) connect() (err error) {
	s.asked = time.Now().UnixNano()
	s.request = s.Head(nil, s.lastID)
	s.response.again()
	s.events = events{marks: &s.loop.marks, line: s.events.line[:0]}
	s.loop.halfway++
	s.fd, err = s.loop.connect(s)
	return err
}

// ready writes the request when the connection stands, and reads what has come.
func (s *Stream) ready(readable, writable bool) error {
	if writable {
		n, err := write(s.fd, s.request)
		if err != nil && !again(err) {
			return err
		}
		if s.request = s.request[n:]; len(s.request) == 0 {
			s.request = nil
			if err := s.loop.poller.news(s.fd); err != nil {
				return err
			}
		}
	}
	for readable {
		n, err := read(s.fd, s.loop.buffer)
		switch {
		case err != nil && again(err):
			return nil
		case err != nil:
			return err
		case n == 0:
			return io.EOF
		}
		if err := s.take(s.loop.buffer[:n]); err != nil {
			return err
		}
		readable = n == len(s.loop.buffer) // else that was all: of more, there will be news
	}
	return nil
}

// take reads a piece of the answer.
func (s *Stream) take(piece []byte) error {
	s.now = time.Now().UnixNano()
	done, err := s.response.take(piece, s.onBody)
	switch {
	case err != nil:
		return err
	case s.response.headed() && s.response.status != 200:
		return fmt.Errorf("the stream was answered with %d", s.response.status)
	case done:
		return errors.New("the stream was ended by the server")
	}
	if s.Begins == "" && s.response.headed() {
		s.begin()
	}
	return nil
}

func (s *Stream) body(piece []byte) { s.events.take(piece, s.onEvent) }

func (s *Stream) event(e *Event) {
	if len(e.ID) > 0 {
		s.lastID = append(s.lastID[:0], e.ID...)
	}
	if !s.begun && s.Begins == string(e.Name) {
		s.begin()
	}
	switch {
	case !e.Marked:
		if s.loop.OnEvent != nil {
			s.loop.OnEvent(s, e, s.now)
		}
	case e.Mark.Audience == rollCall:
		if !s.called {
			s.called = true
			s.loop.called++
		}
	default:
		s.deliver(e.Mark)
	}
}

func (s *Stream) deliver(m Mark) {
	for i := range s.subscriptions {
		if s.subscriptions[i].audience == m.Audience {
			s.loop.ledger.note(&s.subscriptions[i], m, s.now)
			return
		}
	}
	s.loop.ledger.tally.Foreign++
}

func (s *Stream) begin() {
	if s.begun {
		return
	}
	s.begun = true
	s.loop.begun++
	s.loop.halfway--
	s.took = time.Duration(s.now - s.asked)
}

// leave forgets the connection.
func (s *Stream) leave() {
	s.fd = -1
	if s.begun {
		s.loop.begun--
	} else {
		s.loop.halfway--
	}
	s.begun = false
}

func (s *Stream) closed(err error) {
	s.leave()
	if s.loop.ComeBack > 0 {
		s.loop.Ended++
		s.back = time.Now().Add(s.loop.ComeBack)
		s.loop.away = append(s.loop.away, s)
		return
	}
	s.loop.fault(fmt.Errorf("a stream broke off: %w", err))
}
