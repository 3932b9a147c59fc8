package services

import (
	"errors"
	"testing"
	"time"

	"belfry/models"
)

func TestLockOwnAndRemote(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		n.person(t, "ann")
		n.person(t, "bob")
		here, _ := n.signIn(t, "ann")
		there, cookie := n.signIn(t, "ann")
		stranger, _ := n.signIn(t, "bob")

		stands(t, "remote", got(n.sessions.Lock(t.Context(), here, there.ID))(t), models.SessionLocked, models.ReasonRemote)
		stands(t, "again keeps the reason", got(n.sessions.Lock(t.Context(), n.resolve(t, cookie), there.ID))(t), models.SessionLocked, models.ReasonRemote)
		stands(t, "own", got(n.sessions.Lock(t.Context(), here, here.ID))(t), models.SessionLocked, models.ReasonManual)
		for _, id := range []string{stranger.ID, "none", ""} {
			_, err := n.sessions.Lock(t.Context(), here, id)
			refused(t, "another's", err, models.CodeNotFound)
		}
		told(t, n, there.ID, "locked remote")
		told(t, n, here.ID, "locked manual")
		told(t, n, stranger.ID)

		must(t, n.sessions.Logout(t.Context(), there))
		_, err := n.sessions.Lock(t.Context(), here, there.ID)
		refused(t, "one that has ended", err, models.CodeNotFound)
		must(t, n.sessions.Logout(t.Context(), here))
		_, err = n.sessions.Lock(t.Context(), here, here.ID)
		if e := refused(t, "own, ended", err, models.CodeUnauthenticated); e.Reason != string(models.ReasonLogout) {
			t.Errorf("%+v", e)
		}
	})
}

// Security: S12
func TestAdminLocksAndEndsAUser(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		n.person(t, "ann")
		n.person(t, "bob")
		a, _ := n.signIn(t, "ann")
		b, _ := n.signIn(t, "ann")
		c, _ := n.signIn(t, "ann")
		other, _ := n.signIn(t, "bob")
		got(n.sessions.Lock(t.Context(), b, b.ID))(t)
		must(t, n.sessions.Logout(t.Context(), c))
		if count := got(n.sessions.LockUser(t.Context(), "ANN"))(t); count != 1 {
			t.Errorf("%d locked, want the one that was active", count)
		}
		must(t, n.sessions.EndUser(t.Context(), "ann"))
		told(t, n, a.ID, "locked admin", "ended admin")
		told(t, n, b.ID, "locked manual", "ended admin")
		told(t, n, c.ID, "ended logout")
		told(t, n, other.ID)
		_, err := n.sessions.LockUser(t.Context(), "nobody")
		refused(t, "lock nobody", err, models.CodeNotFound)
		refused(t, "end nobody", n.sessions.EndUser(t.Context(), "nobody"), models.CodeNotFound)
	})
}

// Security: S12
func TestEndingOthersNeedsAProof(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		n.person(t, "ann")
		n.person(t, "bob")
		here, cookie := n.signIn(t, "ann")
		a, _ := n.signIn(t, "ann")
		b, _ := n.signIn(t, "ann")
		stranger, _ := n.signIn(t, "bob")
		n.run(t, "UPDATE sessions SET proved_at = proved_at - ? WHERE id = ?", models.ReauthenticationWindow.Milliseconds(), here.ID)
		stale := n.resolve(t, cookie)
		refused(t, "one", n.sessions.End(t.Context(), stale, a.ID), models.CodeReauthentication)
		refused(t, "all others", n.sessions.EndOthers(t.Context(), stale), models.CodeReauthentication)
		refused(t, "another's is not there, proof or none", n.sessions.End(t.Context(), stale, stranger.ID), models.CodeNotFound)

		refused(t, "wrong proof", n.sessions.Reauthenticate(t.Context(), stale, "wrong horse"), models.CodeUnauthenticated)
		refused(t, "after a wrong proof", n.sessions.EndOthers(t.Context(), n.resolve(t, cookie)), models.CodeReauthentication)
		must(t, n.sessions.Reauthenticate(t.Context(), stale, password))
		proved := n.resolve(t, cookie)
		must(t, n.sessions.End(t.Context(), proved, a.ID))
		refused(t, "again", n.sessions.End(t.Context(), proved, a.ID), models.CodeNotFound)
		must(t, n.sessions.EndOthers(t.Context(), proved))
		told(t, n, a.ID, "ended revoked")
		told(t, n, b.ID, "ended revoked")
		told(t, n, stranger.ID)
		told(t, n, here.ID)
		must(t, n.sessions.End(t.Context(), stale, here.ID)) // one's own needs none
		told(t, n, here.ID, "ended logout")
	})
}

func TestListOfDevices(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		n.person(t, "ann")
		n.person(t, "bob")
		a, _ := n.signIn(t, "ann")
		b, _ := n.signIn(t, "ann")
		gone, _ := n.signIn(t, "ann")
		n.signIn(t, "bob")
		n.idle(t, a.ID, testLimits.Idle)
		n.age(t, gone.ID, testLimits.Max)
		list := got(n.sessions.List(t.Context(), a.UserID))(t)
		if len(list) != 2 || list[0].ID != b.ID || list[1].ID != a.ID {
			t.Fatalf("%d sessions", len(list))
		}
		stands(t, "listed", list[0], models.SessionActive, "")
		stands(t, "listed", list[1], models.SessionLocked, models.ReasonIdle)
		told(t, n, gone.ID, "ended max_age")
	})
}

// Security: S11
func TestChangePassword(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		n.person(t, "ann")
		here, cookie := n.signIn(t, "ann")
		other, _ := n.signIn(t, "ann")
		const next = "battery staple"
		_, err := n.sessions.ChangePassword(t.Context(), here, "wrong horse", next)
		if e := refused(t, "wrong current", err, models.CodeInvalid); len(e.Fields) != 1 || e.Fields[0].Field != "current" {
			t.Errorf("%+v", e)
		}
		_, err = n.sessions.ChangePassword(t.Context(), here, password, "short")
		if e := refused(t, "short", err, models.CodeInvalid); len(e.Fields) != 1 || e.Fields[0].Field != "new" {
			t.Errorf("%+v", e)
		}
		told(t, n, other.ID)
		fresh := got(n.sessions.ChangePassword(t.Context(), here, password, next))(t)
		stands(t, "this session", n.resolve(t, fresh), models.SessionActive, "")
		_, err = n.sessions.Resolve(t.Context(), cookie)
		refused(t, "the old cookie", err, models.CodeUnauthenticated)
		told(t, n, other.ID, "ended password_changed")
		told(t, n, here.ID)
		_, err = n.sessions.ChangePassword(t.Context(), here, password, "third staple")
		refused(t, "by the old password, with what was read before", err, models.CodeUnauthenticated)
		_, _, err = n.sessions.Login(t.Context(), Credentials{Username: "ann", Password: password}, Client{}, nil)
		refused(t, "the old password", err, models.CodeUnauthenticated)
		_, _, err = n.sessions.Login(t.Context(), Credentials{Username: "ann", Password: next}, Client{}, nil)
		must(t, err)
		_, err = n.sessions.ChangePassword(t.Context(), here, next, password)
		if !errors.Is(err, errUnauthenticated) && codeOf(err) != models.CodeInvalid {
			t.Errorf("with what was read before: %v", err)
		}
	})
}

// Security: S11
func TestDisablingEndsSessions(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		n.person(t, "ann")
		active, cookie := n.signIn(t, "ann")
		locked, _ := n.signIn(t, "ann")
		got(n.sessions.Lock(t.Context(), locked, locked.ID))(t)
		must(t, n.users.Disable(t.Context(), "ann"))
		must(t, n.users.Disable(t.Context(), "ann")) // again is nothing
		stands(t, "disabled", n.resolve(t, cookie), models.SessionEnded, models.ReasonDisabled)
		told(t, n, active.ID, "ended disabled")
		told(t, n, locked.ID, "locked manual", "ended disabled")
		_, _, err := n.sessions.Login(t.Context(), Credentials{Username: "ann", Password: password}, Client{}, nil)
		refused(t, "sign in", err, models.CodeUnauthenticated)
		must(t, n.users.Enable(t.Context(), "ann"))
		stands(t, "enabled again", n.resolve(t, cookie), models.SessionEnded, models.ReasonDisabled)
		n.signIn(t, "ann")
	})
}

// Security: S11
func TestNewPasswordByAnAdminEndsSessions(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		n.person(t, "ann")
		l, _ := n.signIn(t, "ann")
		must(t, n.users.SetPassword(t.Context(), "ann", "battery staple"))
		told(t, n, l.ID, "ended password_changed")
	})
}

// TestPurge removes what nobody can ask for any more, and nothing else.
func TestPurge(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		n.person(t, "ann")
		kept, _ := n.signIn(t, "ann")
		old, _ := n.signIn(t, "ann")
		live, _ := n.signIn(t, "ann")
		must(t, n.sessions.Logout(t.Context(), kept))
		must(t, n.sessions.Logout(t.Context(), old))
		n.age(t, kept.ID, testLimits.Max+cookieSlack-time.Minute)
		n.age(t, old.ID, testLimits.Max+cookieSlack+time.Minute)
		n.age(t, live.ID, testLimits.Max+cookieSlack+time.Minute)
		n.run(t, "INSERT INTO notice_states (user_id, notice_id, read_at) SELECT id, 5, 0 FROM users")
		n.run(t, "INSERT INTO notice_states (user_id, notice_id, read_at) SELECT id, 6, 0 FROM users")
		n.run(t, "UPDATE log_head SET head = 9, trimmed = 5")
		must(t, n.house.purge(t.Context()))
		if left := n.number(t, "SELECT count(*) FROM sessions WHERE id IN (?, ?)", kept.ID, live.ID); left != 2 {
			t.Errorf("%d of the 2 to keep are left", left)
		}
		if left := n.number(t, "SELECT count(*) FROM sessions WHERE id = ?", old.ID); left != 0 {
			t.Error("a session outlived its cookie")
		}
		if left := n.number(t, "SELECT min(notice_id) FROM notice_states"); left != 6 {
			t.Errorf("the oldest mark left is of %d", left)
		}
	})
}
