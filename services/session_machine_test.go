package services

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"belfry/models"
)

// TestSessionsAgainstAModel plays random lives of one user's sessions and holds each answer, each row and
// the log to the model. A failure is shrunk to the fewest steps that show it; -rapid.checks and
// -rapid.steps say how much is played, -rapid.seed plays it again.
//
// Security: S7, S8, S20, L13
func TestSessionsAgainstAModel(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		n.throttle.rate.Count = 1 << 30 // its refusals have tests of their own
		var users atomic.Int64
		rapid.Check(t, func(rt *rapid.T) {
			m := &sessionMachine{n: n, ctx: t.Context(), name: fmt.Sprint("user", users.Add(1)), password: password}
			m.begin(rt)
			steps := rapid.StateMachineActions(m)
			rt.Repeat(steps)
			if n.db.Dialect == SQLite { // where a step costs a quarter
				rt.Repeat(steps)
				rt.Repeat(steps)
			}
		})
	})
}

// sessionMachine does the same to the service and to the model. Its exported methods are the steps.
type sessionMachine struct {
	n        *node
	ctx      context.Context
	name     string
	user     int64
	password string
	sessions []*modelSession

	read int64               // the log up to here is in told
	told map[string][]string // what the log says, by session
}

func (m *sessionMachine) begin(t *rapid.T) {
	user, err := m.n.users.Add(m.ctx, NewUser{Username: m.name, Password: m.password})
	if err != nil {
		t.Fatal(err)
	}
	m.user, m.told = user.ID, map[string][]string{}
	m.scan(t, &m.read, "SELECT head FROM log_head")
	for range 2 {
		m.signIn(t, nil)
	}
}

func (m *sessionMachine) signIn(t *rapid.T, old *Live) {
	l, cookie, err := m.n.sessions.Login(m.ctx, Credentials{Username: m.name, Password: m.password}, Client{IP: "127.0.0.1"}, old)
	m.expect(t, "login", err, done)
	m.sessions = append(m.sessions, &modelSession{id: l.ID, cookie: cookie, state: models.SessionActive})
}

func (m *sessionMachine) scan(t *rapid.T, into any, query string, args ...any) {
	t.Helper()
	if err := m.n.db.Write.WithContext(m.ctx).Raw(query, args...).Scan(into).Error; err != nil {
		t.Fatal(err)
	}
}

func (m *sessionMachine) expect(t *rapid.T, what string, err error, want string) {
	t.Helper()
	if have := answer(err); have != want {
		t.Fatalf("%s: %q, want %q", what, have, want)
	}
}

// any is one of the sessions, mostly one that has not ended: with those there is more to be done.
func (m *sessionMachine) any(t *rapid.T, label string) *modelSession {
	pool := slices.DeleteFunc(slices.Clone(m.sessions), func(s *modelSession) bool { return s.state == models.SessionEnded })
	if len(pool) == 0 || rapid.IntRange(0, 9).Draw(t, label+" may have ended") == 9 {
		pool = m.sessions
	}
	return pool[rapid.IntRange(0, len(pool)-1).Draw(t, label)]
}

// resolve is how every request with a cookie begins. It gives nil for a session that has ended: the
// request is refused then, whatever it wants.
func (m *sessionMachine) resolve(t *rapid.T, s *modelSession) *Live {
	t.Helper()
	l, err := m.n.sessions.Resolve(m.ctx, s.cookie)
	if err != nil {
		t.Fatalf("the living cookie: %v", err)
	}
	s.look()
	if l.ID != s.id || l.Verdict.State != s.state || l.Verdict.Reason != s.reason {
		t.Fatalf("resolved as %s, want %s", telling(l.Verdict.State, l.Verdict.Reason), telling(s.state, s.reason))
	}
	if s.state == models.SessionEnded {
		return nil
	}
	return l
}

// act is how every request begins that only an active session may make and that counts as activity. It
// gives nil where that was refused.
func (m *sessionMachine) act(t *rapid.T, s *modelSession) *Live {
	t.Helper()
	l := m.resolve(t, s)
	if s.refusal() != done {
		return nil
	}
	l, err := m.n.sessions.Touch(m.ctx, l, false)
	m.expect(t, "a write", err, done)
	s.touch(s.warned())
	return l
}

// Guess locks and tries wrong passwords, and the right one at last or not.
// EndAll is what others do to a user, each of which ends every session.
// Pass lets time pass, in whole minutes: the deadlines are whole minutes too, and the test is over before
// its own minute is.
func (m *sessionMachine) Pass(t *rapid.T) {
	by := rapid.SampledFrom([]time.Duration{testLimits.Idle - testLimits.Warning, testLimits.Idle, models.ReauthenticationWindow,
		time.Minute, testLimits.Max - time.Hour, testLimits.Max}).Draw(t, "by")
	err := m.n.db.Write.WithContext(m.ctx).Exec(`UPDATE sessions SET last_active_at = last_active_at - ?, created_at = created_at - ?, proved_at = proved_at - ?
		WHERE user_id = ?`, by.Milliseconds(), by.Milliseconds(), by.Milliseconds(), m.user).Error
	m.expect(t, "pass", err, done)
	m.n.journal.Forget()
	for _, s := range m.sessions {
		s.idle, s.age, s.proof = s.idle+by, s.age+by, s.proof+by
	}
	if rapid.Bool().Draw(t, "and is noticed") {
		m.Sweep(t)
	}
}

func (m *sessionMachine) Sweep(t *rapid.T) {
	m.expect(t, "sweep", m.n.sessions.Sweep(m.ctx), done)
	for _, s := range m.sessions {
		s.look()
	}
}

// Check holds the rows and the log to the model after every step.
func (m *sessionMachine) Check(t *rapid.T) {
	var rows []models.Session
	m.scan(t, &rows, "SELECT * FROM sessions WHERE user_id = ?", m.user)
	if len(rows) != len(m.sessions) {
		t.Fatalf("%d rows, want %d", len(rows), len(m.sessions))
	}
	m.readLog(t)
	for _, row := range rows {
		s := m.sessions[slices.IndexFunc(m.sessions, func(s *modelSession) bool { return s.id == row.ID })]
		if s.state != row.State {
			s.look() // anybody may notice what the clock has decided, at any time
		}
		reason := models.Reason("")
		if row.Reason != nil {
			reason = *row.Reason
		}
		if row.State != s.state || reason != s.reason || row.FailedUnlocks != s.failed {
			t.Fatalf("stored: %s, %d wrong passwords; want %s, %d", telling(row.State, reason), row.FailedUnlocks, telling(s.state, s.reason), s.failed)
		}
		if !slices.Equal(m.told[s.id], s.told) {
			t.Fatalf("the log tells %q, want %q", m.told[s.id], s.told)
		}
	}
}

func (m *sessionMachine) readLog(t *rapid.T) {
	var entries []struct {
		LogOffset          int64
		Audiences, Payload string
	}
	m.scan(t, &entries, "SELECT log_offset, audiences, payload FROM entries WHERE log_offset > ? AND kind = 'lock' ORDER BY log_offset", m.read)
	for _, e := range entries {
		var event LockEvent
		if err := json.Unmarshal([]byte(e.Payload), &event); err != nil {
			t.Fatal(err)
		}
		reason := models.Reason("")
		if event.Reason != nil {
			reason = *event.Reason
		}
		id := e.Audiences[len(lockPrefix):]
		m.told[id] = append(m.told[id], telling(models.SessionState(event.State), reason))
		m.read = e.LogOffset
	}
}
