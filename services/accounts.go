package services

import (
	"slices"

	"belfry/models"
	"belfry/services/hub"
)

// accountsKept bounds for how many people without a stream this node remembers what was delivered to them.
const accountsKept = 10_000

// Delivered is what became of the entries that were to be written to somebody's streams, on this node, since it began or
// since it forgot: it remembers those who have streams, and some of those who had.
type Delivered struct {
	hub.Account
	Resets int64 `json:"resets"` // times a stream was told that it cannot go on from where it was
}

// person is somebody who has streams on this node, or had.
type person struct {
	streams int
	open    []*Stream   // of them those that were opened
	past    hub.Account // of the streams that are closed
	resets  int64
}

// What came of a request for a stream.
const (
	openingOpened      = "opened"
	openingOver        = "over"    // the session had ended
	openingRefused     = "refused" // the credential, or the task
	openingLimit       = "limit"
	openingDraining    = "draining"
	openingUnavailable = "unavailable" // the database could not be asked
)

func newOpenings() counters {
	return newCounters(openingOpened, openingOver, openingRefused, openingLimit, openingDraining, openingUnavailable)
}

// opened counts what came of an opening that was admitted.
func (s *Streams) opened(who *identity, opening Opening, err error) (Opening, error) {
	if err != nil || opening.Stream == nil {
		s.dismiss(who.user.ID, nil)
	}
	if err != nil {
		return s.pauseIfPassing(err)
	}
	if opening.Stream != nil {
		s.openings.inc(openingOpened)
		s.mu.Lock()
		p := s.people[who.user.ID]
		p.open = append(p.open, opening.Stream)
		s.mu.Unlock()
	} else if opening.NoContent {
		s.openings.inc(openingOver)
	}
	return opening, nil
}

// admit counts a stream, unless the person has as many as one may have.
func (s *Streams) admit(user int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.people[user]
	if p == nil {
		p = &person{}
		s.people[user] = p
		s.absent++
	}
	if p.streams >= s.settings.PerUser {
		s.openings.inc(openingLimit)
		return false
	}
	if p.streams == 0 {
		s.absent--
	}
	p.streams++
	return true
}

// dismiss takes a stream off its person's, together with what was delivered to it; nil = it never was one.
func (s *Streams) dismiss(user int64, st *Stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.people[user]
	if st != nil {
		s.hub.Remove(st.conn) // and while nobody sums up: it is in one place or in the other
		p.past.Add(st.conn.State().Account)
		p.open = slices.DeleteFunc(p.open, func(open *Stream) bool { return open == st })
	}
	if p.streams--; p.streams > 0 {
		return
	}
	if s.absent++; s.absent <= accountsKept {
		return
	}
	for id, p := range s.people { // some go at random, a tenth at a time so that not every end comes here
		if p.streams == 0 {
			delete(s.people, id)
			s.absent--
		}
		if s.absent <= accountsKept*9/10 {
			return
		}
	}
}

// reset counts that a stream is told to start over.
func (s *Streams) reset(user int64, reason string) {
	s.resets.inc(reason)
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.people[user]; p != nil {
		p.resets++
	}
}

// Delivered tells what was delivered to a person's streams on this node.
func (s *Streams) Delivered(user int64) (d Delivered) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.people[user]
	if p == nil {
		return d
	}
	d.Account, d.Resets = p.past, p.resets
	for _, st := range p.open {
		d.Add(st.conn.State().Account)
	}
	return d
}

func newChanges() counters {
	return newCounters(string(models.SessionActive), string(models.SessionLocked), string(models.SessionEnded))
}

func newKinds() counters {
	return newCounters(kindNotice, kindNoticeState, kindTask, kindLock, kindMembership, kindGroupChanged, kindGroupRemoved, kindAccount, kindKeyChanged,
		kindKeyRevoked, kindSchedule)
}
