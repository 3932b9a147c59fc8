package services

import (
	"context"
	"strings"
	"time"

	"belfry/models"
	"belfry/services/journal"
)

const (
	// warmSessions is how many sessions a node that starts reads at once: those who come to it from a node that left
	// find theirs in memory.
	warmSessions = 10_000
	// touchSlack is how long an update of a session's activity may take to be committed, and how far ahead the clock by
	// which this node looks may be (see journal.Fresh).
	touchSlack = 15 * time.Second
)

// observe forgets a session that an entry tells about, or all of a person's.
func (s *Sessions) observe(e *journal.Entry) {
	if len(e.Audiences) == 0 {
		return
	}
	switch audience := e.Audiences[0]; e.Kind {
	case kindLock:
		s.cache.forget(strings.TrimPrefix(audience, lockPrefix))
	case kindAccount:
		s.cache.forgetWhere(func(l *Live) bool { return userAudience(l.UserID) == audience })
	}
}

// current tells how a session stands, from memory if this node is up to date with the log. What the clock
// has made of it is written down before anybody acts on it.
func (s *Sessions) current(ctx context.Context, id string) (*Live, error) {
	now, fresh := s.journal.Fresh()
	if !fresh {
		return s.read(ctx, id)
	}
	l, turn, known := s.cache.get(id)
	if !known {
		var err error
		if l, known, err = s.unknown.get(ctx, id); err == nil && !known {
			err = models.ErrNotFound
		}
		if err != nil {
			return nil, err
		}
		s.cache.put(turn, id, l)
	}
	l = s.at(l, models.Instant(now))
	if l.State != l.Verdict.State || s.impending(l.Verdict) != "" {
		return s.read(ctx, id) // another node may have seen activity
	}
	return l, nil
}

// at is a session as it stands at another moment of the database's clock.
func (s *Sessions) at(l *Live, now models.Instant) *Live {
	moved := *l
	moved.Now = max(now, l.Now, l.LastActiveAt) // the node's idea of the clock is some milliseconds late
	moved.Verdict = moved.Judge(s.limits, moved.Now)
	return &moved
}

func (s *Sessions) rowsByID(ctx context.Context, ids ...string) (map[string]*Live, error) {
	lives, err := s.rows(ctx, ids...)
	byID := make(map[string]*Live, len(lives))
	for _, l := range lives {
		byID[l.ID] = l
	}
	return byID, err
}

// read asks the database how a session stands, and writes down what the clock has made of it.
func (s *Sessions) read(ctx context.Context, id string) (*Live, error) {
	lives, err := s.readAll(ctx, id)
	if err == nil && len(lives) == 0 {
		err = models.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	return lives[0], nil
}

// readAll is read for many, at the cost of three queries. Sessions that do not exist are left out.
func (s *Sessions) readAll(ctx context.Context, ids ...string) ([]*Live, error) {
	lives, err := s.rows(ctx, ids...)
	if err != nil {
		return nil, err
	}
	settled, due := make([]*Live, 0, len(lives)), []string(nil)
	for _, l := range lives {
		if l.State == l.Verdict.State {
			settled = append(settled, l)
		} else {
			due = append(due, l.ID)
		}
	}
	if len(due) == 0 {
		return settled, nil
	}
	if err := s.latch(ctx, "id IN ?", due); err != nil {
		return nil, err
	}
	latched, err := s.rows(ctx, due...)
	return append(settled, latched...), err
}

// active notes in memory that a session was in use.
func (s *Sessions) active(id string, at models.Instant) {
	s.cache.change(id, func(l *Live) *Live {
		if at <= l.LastActiveAt {
			return l
		}
		touched := *l
		touched.LastActiveAt = at
		return &touched
	})
}

// Refresh learns which sessions were in use on other nodes: activity is no entry of the log. Without it this
// node would show too short a time to the lock, and ask the database again and again.
func (s *Sessions) Refresh(ctx context.Context) error {
	now, fresh := s.journal.Fresh()
	if !fresh {
		return nil
	}
	since := s.refreshed
	if since == 0 || since > now { // nothing yet, or the clock was set back
		since = now
	}
	// Row by row: as many as there are people may have been active in the last seconds.
	rows, err := s.db.Read.WithContext(ctx).Raw("SELECT id, last_active_at FROM sessions WHERE state = 'active' AND last_active_at > ?", since-touchSlack.Milliseconds()).Rows()
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		var at models.Instant
		if err := rows.Scan(&id, &at); err != nil {
			return err
		}
		s.active(id, at)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	s.refreshed = now // by the clock and not by what was found, or the last activity would be read again until the next one
	return nil
}

// Warm reads the sessions that were in use last, and tells whose they are.
func (s *Sessions) Warm(ctx context.Context) (people []int64, err error) {
	_, turn, _ := s.cache.get("")
	lives, err := s.find(s.db.Read.WithContext(ctx), "s.state <> 'ended' ORDER BY s.last_active_at DESC LIMIT ?", warmSessions)
	seen := map[int64]bool{}
	for _, l := range lives {
		s.cache.put(turn, l.ID, l)
		if !seen[l.UserID] {
			seen[l.UserID] = true
			people = append(people, l.UserID)
		}
	}
	return people, err
}
