package services

import (
	"encoding/json"
	"slices"
	"sync"

	"belfry/models"
	"belfry/services/journal"
)

// lateEntries is how many of the last entries are kept for summaries that were read before them and arrive after them.
const lateEntries = 2_000

// summaries keeps in memory what the hello of a stream says of each person: the unread count, and what they may
// read. The log's entries are applied as they are delivered, so that a storm of reconnects costs no query. An entry
// from which the new count cannot be told makes the person's summary void.
type summaries struct {
	mu   sync.Mutex
	of   map[string]*summary           // by the audience that is the person alone
	by   map[string]map[*summary]int64 // by what else may be read, with the offset after which
	late []late                        // the last entries that were applied
	at   int64                         // the last one of all
}

type summary struct {
	Summary
	own  string // the person's own audience
	last int64  // the entry that was applied last; one that comes by two ways counts once
}

// late is an entry as far as it concerns unread counts.
type late struct {
	offset    int64
	audiences []string
	expires   models.Instant // the count holds until then; 0 = for ever
	void      bool           // the count cannot be told from the entry
	add       int64
	set       *int64 // instead of add
}

func newSummaries(at int64) *summaries {
	return &summaries{of: map[string]*summary{}, by: map[string]map[*summary]int64{}, at: at}
}

func lateOf(e *journal.Entry) late {
	l := late{offset: e.Offset, audiences: e.Audiences, expires: models.Instant(e.ExpiresAt)}
	switch e.Kind {
	case kindNotice:
		l.add, l.void = 1, e.CollapseKey != "" // it may take the place of another
	case kindNoticeState:
		var event StateEvent
		if err := json.Unmarshal(e.Payload, &event); err == nil {
			l.set = event.Unread
			if event.SnoozedUntil != nil {
				l.expires = *event.SnoozedUntil
			}
		}
		switch event.State {
		case stateSuperseded:
			l.audiences = nil // the count was void since the notice that took its place
		case "unread", "unarchived", stateUnsnoozed:
			l.void = true // it may expire before anything that the count knows of
		default:
			l.void = l.set == nil
		}
	case kindMembership, kindAccount:
		l.void = true
	default:
		l.audiences = nil // it concerns no count
	}
	return l
}

// get gives a person's summary, if it is known and holds at the given moment of the database's clock.
func (s *summaries) get(user, trimmed int64, now models.Instant) (Summary, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	known := s.of[userAudience(user)]
	if known == nil || !known.holds(trimmed, now) {
		return Summary{}, false
	}
	found := known.Summary
	found.Head.Offset, found.Now = max(known.Head.Offset, s.at), now
	return found, true
}

// unreadAt is a person's unread count as of a head that memory may be ahead of, if nothing but notices came to them since.
func (s *summaries) unreadAt(user int64, head journal.Head) (unread int64, sure bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	known := s.of[userAudience(user)]
	if known == nil || known.Head.Epoch != head.Epoch || !known.holds(head.Trimmed, models.Instant(head.Now)) || head.Offset < known.Head.Offset || head.Offset > max(known.Head.Offset, s.at) {
		return 0, false
	}
	unread = known.Unread
	for i := len(s.late) - 1; i >= 0 && s.late[i].offset > head.Offset; i-- {
		l := &s.late[i]
		for _, audience := range l.audiences {
			if after, reads := s.reads(known, audience); reads && l.offset > after {
				if l.set != nil {
					return 0, false
				}
				unread -= l.add
				break
			}
		}
	}
	// What is remembered of the last entries has to reach back to the head.
	return unread, head.Offset >= s.at || len(s.late) > 0 && s.late[0].offset <= head.Offset+1
}

// holds is whether it is true at the given moment of the database's clock.
func (s *summary) holds(trimmed int64, now models.Instant) bool {
	return s.Head.Trimmed == trimmed && (s.Until == 0 || s.Until > now)
}

// put remembers a summary that was read from the database. What was delivered since that reading is applied; if that
// is no longer known, so is the summary.
func (s *summaries) put(user int64, read Summary) {
	s.mu.Lock()
	defer s.mu.Unlock()
	own := userAudience(user)
	s.drop(s.of[own])
	if s.at > read.Head.Offset && (len(s.late) == 0 || s.late[0].offset > read.Head.Offset+1) {
		return
	}
	for _, old := range s.of {
		if len(s.of) < cacheLimit {
			break
		}
		s.drop(old)
	}
	fresh := &summary{Summary: read, own: own}
	s.of[own] = fresh
	for _, g := range read.Grants {
		if g.Audience == own {
			continue // found by it already
		}
		if s.by[g.Audience] == nil {
			s.by[g.Audience] = map[*summary]int64{}
		}
		s.by[g.Audience][fresh] = g.After
	}
	for i := range s.late {
		for _, audience := range s.late[i].audiences {
			if after, reads := s.reads(fresh, audience); reads {
				s.change(fresh, after, &s.late[i])
			}
		}
	}
}

// apply takes in the entry that is delivered next.
func (s *summaries) apply(e *journal.Entry) {
	l := lateOf(e)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at = l.offset
	if s.late = append(s.late, l); len(s.late) > 2*lateEntries {
		s.late = slices.Clone(s.late[lateEntries:])
	}
	for _, audience := range l.audiences {
		if known := s.of[audience]; known != nil {
			s.change(known, 0, &l)
		}
		for known, after := range s.by[audience] {
			s.change(known, after, &l)
		}
	}
}

func (s *summaries) reads(known *summary, audience string) (after int64, reads bool) {
	if audience == known.own {
		return 0, true
	}
	after, reads = s.by[audience][known]
	return after, reads
}

func (s *summaries) change(known *summary, after int64, l *late) {
	if l.offset <= max(known.Head.Offset, after) || l.offset == known.last {
		return
	}
	known.last = l.offset
	switch {
	case l.void:
		s.drop(known)
		return
	case l.set != nil:
		known.Unread = *l.set
	default:
		known.Unread += l.add
	}
	if l.expires != 0 && (known.Until == 0 || l.expires < known.Until) {
		known.Until = l.expires
	}
}

// drop is for who holds s.mu.
func (s *summaries) drop(known *summary) {
	if known == nil {
		return
	}
	if s.of[known.own] == known {
		delete(s.of, known.own)
	}
	for _, g := range known.Grants {
		if delete(s.by[g.Audience], known); len(s.by[g.Audience]) == 0 {
			delete(s.by, g.Audience)
		}
	}
}

// forget makes void what is known of people: rows were changed past the log.
func (s *summaries) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.of, s.by = map[string]*summary{}, map[string]map[*summary]int64{}
}

// clear makes everything void: the log starts anew after another offset.
func (s *summaries) clear(at int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.of, s.by, s.late, s.at = map[string]*summary{}, map[string]map[*summary]int64{}, nil, at
}
