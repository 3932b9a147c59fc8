package services

import (
	"slices"
	"time"

	"pgregory.net/rapid"

	"belfry/models"
)

// These are the steps of a session's life, each done to the service and to the model.

func (m *sessionMachine) Login(t *rapid.T) {
	_, _, err := m.n.sessions.Login(m.ctx, Credentials{Username: m.name, Password: "wrong horse"}, Client{IP: "127.0.0.1"}, nil)
	m.expect(t, "login with a wrong password", err, refusedWith(models.CodeUnauthenticated))
	if rapid.Bool().Draw(t, "in a new browser") {
		m.signIn(t, nil)
		return
	}
	before := m.any(t, "the browser's old session")
	if old := m.resolve(t, before); old != nil {
		m.signIn(t, old)
		before.end(models.ReasonLogout)
	}
}

func (m *sessionMachine) Look(t *rapid.T) {
	s := m.any(t, "session")
	l := m.resolve(t, s)
	if l == nil {
		return
	}
	idle := max(0, testLimits.Idle-s.idle)
	if s.state == models.SessionLocked {
		idle = 0
	}
	left := testLimits.Max - s.age
	// The clock runs while the test does: a minute's grace, and never more than there should be.
	if v := l.Verdict; v.IdleRemaining > idle || v.IdleRemaining < idle-time.Minute || v.MaxRemaining > left || v.MaxRemaining < left-time.Minute {
		t.Fatalf("%v and %v remain, want %v and %v", v.IdleRemaining, v.MaxRemaining, idle, left)
	}
}

func (m *sessionMachine) DeadCookie(t *rapid.T) {
	s := m.any(t, "session")
	if len(s.dead) == 0 {
		t.Skip("its first cookie is alive")
	}
	_, err := m.n.sessions.Resolve(m.ctx, rapid.SampledFrom(s.dead).Draw(t, "cookie"))
	m.expect(t, "a cookie that was replaced", err, refusedWith(models.CodeUnauthenticated))
}

func (m *sessionMachine) Activity(t *rapid.T) {
	s := m.any(t, "session")
	l := m.resolve(t, s)
	if l == nil {
		return
	}
	want := s.refusal()
	_, err := m.n.sessions.Touch(m.ctx, l, true)
	m.expect(t, "activity", err, want)
	if want == done {
		s.touch(s.warned())
	}
}

func (m *sessionMachine) LockOwn(t *rapid.T) { m.lockOwn(t, m.any(t, "session")) }

func (m *sessionMachine) lockOwn(t *rapid.T, s *modelSession) {
	t.Helper()
	if l := m.resolve(t, s); l != nil {
		_, err := m.n.sessions.Lock(m.ctx, l, l.ID)
		m.expect(t, "lock", err, done)
		s.lock(models.ReasonManual)
	}
}

func (m *sessionMachine) LockRemote(t *rapid.T) {
	s, other := m.any(t, "session"), m.any(t, "the other")
	l := m.act(t, s)
	if l == nil || s == other {
		return
	}
	_, err := m.n.sessions.Lock(m.ctx, l, other.id)
	other.lock(models.ReasonRemote)
	if other.look(); other.state == models.SessionEnded {
		m.expect(t, "lock one that has ended", err, refusedWith(models.CodeNotFound))
		return
	}
	m.expect(t, "lock another", err, done)
}

func (m *sessionMachine) LockByAdmin(t *rapid.T) {
	want := 0
	for _, s := range m.sessions {
		if s.lock(models.ReasonAdmin) {
			want++
		}
	}
	if n, err := m.n.sessions.LockUser(m.ctx, m.name); err != nil || n != want {
		t.Fatalf("%d locked, want %d: %v", n, want, err)
	}
}

func (m *sessionMachine) Unlock(t *rapid.T) { m.unlock(t, m.any(t, "session"), true) }

func (m *sessionMachine) Guess(t *rapid.T) {
	s := m.any(t, "session")
	m.lockOwn(t, s)
	for range rapid.IntRange(1, models.MaxUnlockAttempts).Draw(t, "wrong passwords") {
		m.unlock(t, s, false)
	}
	m.unlock(t, s, rapid.Bool().Draw(t, "then the right one"))
}

func (m *sessionMachine) unlock(t *rapid.T, s *modelSession, right bool) {
	t.Helper()
	l := m.resolve(t, s)
	if l == nil {
		return
	}
	open, cookie, err := m.n.sessions.Unlock(m.ctx, l, m.guess(right))
	if s.state == models.SessionActive {
		if m.expect(t, "unlock while active", err, done); cookie != "" || open.ID != s.id {
			t.Fatal("an active session got another cookie")
		}
		return
	}
	m.expect(t, "unlock", err, s.unlock(right, cookie))
}

func (m *sessionMachine) guess(right bool) string {
	if right {
		return m.password
	}
	return "wrong horse"
}

func (m *sessionMachine) Logout(t *rapid.T) { m.logout(t, m.any(t, "session")) }

func (m *sessionMachine) logout(t *rapid.T, s *modelSession) {
	t.Helper()
	if l := m.resolve(t, s); l != nil {
		m.expect(t, "logout", m.n.sessions.Logout(m.ctx, l), done)
		s.end(models.ReasonLogout)
	}
}

func (m *sessionMachine) EndRemote(t *rapid.T) {
	s, other := m.any(t, "session"), m.any(t, "the other")
	l := m.act(t, s)
	if l == nil || s == other {
		return
	}
	err := m.n.sessions.End(m.ctx, l, other.id)
	switch other.look(); {
	case other.state == models.SessionEnded:
		m.expect(t, "end one that has ended", err, refusedWith(models.CodeNotFound))
	case s.proof >= models.ReauthenticationWindow:
		m.expect(t, "end without a proof", err, refusedWith(models.CodeReauthentication))
	default:
		m.expect(t, "end another", err, done)
		other.end(models.ReasonRevoked)
	}
}

func (m *sessionMachine) EndOthers(t *rapid.T) {
	s := m.any(t, "session")
	l := m.act(t, s)
	if l == nil {
		return
	}
	err := m.n.sessions.EndOthers(m.ctx, l)
	if s.proof >= models.ReauthenticationWindow {
		m.expect(t, "end others without a proof", err, refusedWith(models.CodeReauthentication))
		return
	}
	m.expect(t, "end others", err, done)
	m.endAll(models.ReasonRevoked, s)
}

func (m *sessionMachine) endAll(reason models.Reason, but *modelSession) {
	for _, s := range m.sessions {
		if s != but {
			s.end(reason)
		}
	}
}

func (m *sessionMachine) Reauthenticate(t *rapid.T) {
	s := m.any(t, "session")
	right := rapid.Bool().Draw(t, "right")
	l := m.act(t, s)
	if l == nil {
		return
	}
	err := m.n.sessions.Reauthenticate(m.ctx, l, m.guess(right))
	if !right {
		m.expect(t, "a wrong proof", err, refusedWith(models.CodeUnauthenticated))
		return
	}
	m.expect(t, "a proof", err, done)
	s.proof = 0
}

func (m *sessionMachine) another() string {
	if m.password == password {
		return "battery staple"
	}
	return password
}

func (m *sessionMachine) ChangePassword(t *rapid.T) {
	m.changePassword(t, m.any(t, "session"), rapid.Bool().Draw(t, "right"))
}

func (m *sessionMachine) changePassword(t *rapid.T, s *modelSession, right bool) {
	t.Helper()
	l := m.act(t, s)
	if l == nil {
		return
	}
	cookie, err := m.n.sessions.ChangePassword(m.ctx, l, m.guess(right), m.another())
	if !right {
		m.expect(t, "a wrong current password", err, refusedWith(models.CodeInvalid))
		return
	}
	m.expect(t, "a new password", err, done)
	m.password = m.another()
	s.renew(cookie)
	m.endAll(models.ReasonPasswordChanged, s)
}

func (m *sessionMachine) EndAll(t *rapid.T) {
	switch how := rapid.SampledFrom([]models.Reason{models.ReasonAdmin, models.ReasonPasswordChanged, models.ReasonDisabled}).Draw(t, "how"); how {
	case models.ReasonAdmin:
		m.expect(t, "end by an admin", m.n.sessions.EndUser(m.ctx, m.name), done)
		m.endAll(how, nil)
	case models.ReasonPasswordChanged:
		m.password = m.another()
		m.expect(t, "a new password by an admin", m.n.users.SetPassword(m.ctx, m.name, m.password), done)
		m.endAll(how, nil)
	case models.ReasonDisabled:
		m.expect(t, "disable", m.n.users.Disable(m.ctx, m.name), done)
		m.endAll(how, nil)
		_, _, err := m.n.sessions.Login(m.ctx, Credentials{Username: m.name, Password: m.password}, Client{IP: "127.0.0.1"}, nil)
		m.expect(t, "login while disabled", err, refusedWith(models.CodeUnauthenticated))
		m.expect(t, "enable", m.n.users.Enable(m.ctx, m.name), done)
	}
}

func (m *sessionMachine) List(t *rapid.T) {
	s := m.any(t, "session")
	l := m.resolve(t, s)
	if l == nil || s.state != models.SessionActive {
		return
	}
	listed, err := m.n.sessions.List(m.ctx, l.UserID)
	m.expect(t, "list", err, done)
	var have, want []string
	for _, l := range listed {
		have = append(have, l.ID)
	}
	for _, s := range m.sessions {
		if s.look(); s.state != models.SessionEnded {
			want = append(want, s.id)
		}
	}
	if slices.Sort(have); !slices.Equal(have, slices.Sorted(slices.Values(want))) {
		t.Fatalf("listed %v, want %v", have, want)
	}
}
