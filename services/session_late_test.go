package services

import (
	"pgregory.net/rapid"

	"belfry/models"
)

// These are the steps of requests that race: one reads its session, others change it, then the one acts.
// What it read must not let it do what the session as it stands does not allow.

// lateRequest has read its session and will act on what it read.
type lateRequest struct {
	session *modelSession
	live    *Live
	cookie  string
	warned  bool
}

func (m *sessionMachine) LateActivity(t *rapid.T) {
	s := m.any(t, "session")
	if s.refusal() != done {
		return
	}
	r := lateRequest{session: s, live: m.resolve(t, s), cookie: s.cookie, warned: s.warned()}
	m.meanwhile(t, s)
	_, err := m.n.sessions.Touch(m.ctx, r.live, true)
	want := s.refusal()
	if want == done && s.cookie != r.cookie {
		want = refusedWith(models.CodeUnauthenticated)
	}
	m.expect(t, "late activity", err, want)
	if want == done {
		s.touch(r.warned)
	}
}

func (m *sessionMachine) LateUnlock(t *rapid.T) {
	s := m.any(t, "session")
	if m.lockOwn(t, s); s.state != models.SessionLocked {
		return
	}
	r := lateRequest{session: s, live: m.resolve(t, s), cookie: s.cookie}
	m.meanwhile(t, s)
	right := rapid.Bool().Draw(t, "late, right")
	_, cookie, err := m.n.sessions.Unlock(m.ctx, r.live, m.guess(right))
	want := refusedWith(models.CodeUnauthenticated) // another was first, which makes this no attempt
	switch {
	case s.state == models.SessionEnded:
		want = s.refusal()
	case s.state == models.SessionLocked && s.cookie == r.cookie:
		want = s.unlock(right, cookie)
	}
	m.expect(t, "late unlock", err, want)
}

// meanwhile is what others do to the session of a request that is under way.
func (m *sessionMachine) meanwhile(t *rapid.T, s *modelSession) {
	t.Helper()
	for _, step := range rapid.SliceOfN(rapid.SampledFrom([]string{"lock", "unlock", "guess", "new password", "log out", "admin"}), 0, 3).Draw(t, "meanwhile") {
		switch step {
		case "lock":
			m.lockOwn(t, s)
		case "unlock":
			m.unlock(t, s, true)
		case "guess":
			m.unlock(t, s, false)
		case "new password":
			m.changePassword(t, s, true)
		case "log out":
			m.logout(t, s)
		case "admin":
			m.LockByAdmin(t)
		}
	}
}
