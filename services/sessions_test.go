package services

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"belfry/models"
)

// stands holds a session to a state and a reason.
func stands(t *testing.T, what string, l *Live, state models.SessionState, reason models.Reason) {
	t.Helper()
	if l.State != state || l.Verdict.State != state || l.Verdict.Reason != reason {
		t.Errorf("%s: row %s, verdict %+v; want %s %s", what, l.State, l.Verdict, state, reason)
	}
}

// told holds the session's lock entries to the given states, "state reason" each.
func told(t *testing.T, n *node, session string, want ...string) {
	t.Helper()
	var have []string
	for _, payload := range n.locks(t, session) {
		var e LockEvent
		must(t, json.Unmarshal([]byte(payload), &e))
		word := e.State
		if e.Reason != nil {
			word += " " + string(*e.Reason)
		}
		have = append(have, word)
	}
	if strings.Join(have, ", ") != strings.Join(want, ", ") {
		t.Errorf("the log tells %q, want %q", have, want)
	}
}

func TestLogin(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		n.person(t, "Ann")
		n.person(t, "gone")
		must(t, n.users.Disable(t.Context(), "gone"))
		long := strings.Repeat("é", 300) + "\x00\xff"
		l, cookie, err := n.sessions.Login(t.Context(), Credentials{Username: "aNN", Password: password}, Client{IP: "127.0.0.1", UserAgent: long}, nil)
		must(t, err)
		stands(t, "signed in", l, models.SessionActive, "")
		if l.User.Username != "Ann" || l.IP != "127.0.0.1" || len(l.UserAgent) > maxUserAgent || !strings.HasPrefix(long, l.UserAgent) {
			t.Errorf("%+v", l)
		}
		if view := n.sessions.View(n.resolve(t, cookie), true); view.ID != l.ID || !view.Current || view.State != models.SessionActive || view.Reason != nil ||
			view.IdleRemaining > testLimits.Idle.Milliseconds() || view.IdleRemaining < testLimits.Idle.Milliseconds()-60_000 || view.Warning != 60_000 {
			t.Errorf("%+v", view)
		}
		for _, pair := range [][2]string{{"ann", "wrong horse"}, {"nobody", password}, {"gone", password}, {"ann", ""}, {"", ""}, {"ann' --", password}} {
			_, cookie, err := n.sessions.Login(t.Context(), Credentials{Username: pair[0], Password: pair[1]}, Client{IP: "127.0.0.2"}, nil)
			if !errors.Is(err, errWrongPair) || cookie != "" {
				t.Errorf("%v: %v", pair, err)
			}
		}
		// Signing in anew ends the session this browser had, not the others.
		other, _ := n.signIn(t, "ann")
		_, _, err = n.sessions.Login(t.Context(), Credentials{Username: "ann", Password: password}, Client{}, l)
		must(t, err)
		stands(t, "the browser's old one", n.resolve(t, cookie), models.SessionEnded, models.ReasonLogout)
		told(t, n, l.ID, "ended logout")
		told(t, n, other.ID)
	})
}

// Security: S6, S7
func TestSessionLocksWhenIdleAndEndsWhenOld(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		n.person(t, "ann")
		for _, c := range []struct {
			name      string
			idle, age time.Duration
			state     models.SessionState
			reason    models.Reason
			told      []string
		}{
			{"almost idle", testLimits.Idle - time.Minute, 0, models.SessionActive, "", nil},
			{"idle", testLimits.Idle, 0, models.SessionLocked, models.ReasonIdle, []string{"locked idle"}},
			{"almost too old", 0, testLimits.Max - time.Minute, models.SessionActive, "", nil},
			{"too old", 0, testLimits.Max, models.SessionEnded, models.ReasonMaxAge, []string{"ended max_age"}},
			{"both", testLimits.Idle, testLimits.Max, models.SessionEnded, models.ReasonMaxAge, []string{"ended max_age"}},
		} {
			l, cookie := n.signIn(t, "ann")
			n.idle(t, l.ID, c.idle)
			n.age(t, l.ID, c.age)
			stands(t, c.name, n.resolve(t, cookie), c.state, c.reason)
			stands(t, c.name+", again", n.resolve(t, cookie), c.state, c.reason)
			told(t, n, l.ID, c.told...)
		}
		l, cookie := n.signIn(t, "ann")
		n.idle(t, l.ID, testLimits.Idle)
		stands(t, "locked", n.resolve(t, cookie), models.SessionLocked, models.ReasonIdle)
		n.age(t, l.ID, testLimits.Max)
		stands(t, "locked, then too old", n.resolve(t, cookie), models.SessionEnded, models.ReasonMaxAge)
		told(t, n, l.ID, "locked idle", "ended max_age")
	})
}

// TestOneExpiryIsWrittenOnce: of many that notice it at once exactly one tells the log.
func TestOneExpiryIsWrittenOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		n.person(t, "ann")
		for _, c := range []struct {
			age  time.Duration
			told string
		}{{0, "locked idle"}, {testLimits.Max, "ended max_age"}} {
			l, cookie := n.signIn(t, "ann")
			n.idle(t, l.ID, testLimits.Idle)
			n.age(t, l.ID, c.age)
			atOnce(8, func(i int) {
				if i == 0 {
					if err := n.sessions.Sweep(t.Context()); err != nil {
						t.Error(err)
					}
				}
				if seen, err := n.sessions.Resolve(t.Context(), cookie); err != nil || seen.State == models.SessionActive {
					t.Errorf("%v, %v", seen, err)
				}
			})
			told(t, n, l.ID, c.told)
		}
	})
}

// TestSweepOfMany: that more sessions than one transaction takes are due at once keeps none of them open.
func TestSweepOfMany(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		n.person(t, "ann")
		l, _ := n.signIn(t, "ann")
		n.run(t, `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
			INSERT INTO sessions (id, user_id, secret_hash, state, created_at, last_active_at, proved_at)
			SELECT id || '-' || i, user_id, secret_hash, state, created_at, last_active_at, proved_at FROM sessions CROSS JOIN n WHERE id = ?`, sessionsAtOnce, l.ID)
		n.run(t, "UPDATE sessions SET last_active_at = last_active_at - ?", testLimits.Idle.Milliseconds())
		must(t, n.sessions.Sweep(t.Context()))
		if locked := n.number(t, "SELECT count(*) FROM sessions WHERE state = 'locked'"); locked != sessionsAtOnce+1 {
			t.Errorf("%d are locked, want %d", locked, sessionsAtOnce+1)
		}
		told(t, n, l.ID, "locked idle")
	})
}

func TestSweepStoresWhatNobodyAsksAbout(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		n.person(t, "ann")
		idle, _ := n.signIn(t, "ann")
		old, _ := n.signIn(t, "ann")
		fresh, _ := n.signIn(t, "ann")
		must(t, n.sessions.Sweep(t.Context()))
		if head := n.number(t, "SELECT head FROM log_head"); head != 0 {
			t.Errorf("a sweep with nothing due wrote %d entries", head)
		}
		n.idle(t, idle.ID, testLimits.Idle)
		n.age(t, old.ID, testLimits.Max)
		must(t, n.sessions.Sweep(t.Context()))
		must(t, n.sessions.Sweep(t.Context()))
		told(t, n, idle.ID, "locked idle")
		told(t, n, old.ID, "ended max_age")
		told(t, n, fresh.ID)
	})
}

// Security: S8
func TestTouch(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		n.person(t, "ann")
		l, cookie := n.signIn(t, "ann")
		// Within two seconds it counts as touched.
		if same, err := n.sessions.Touch(t.Context(), l, false); err != nil || same != l {
			t.Errorf("coalesced: %v, %v", same, err)
		}
		if exact := got(n.sessions.Touch(t.Context(), l, true))(t); exact.LastActiveAt < l.LastActiveAt {
			t.Errorf("exact: active at %v, then %v", l.LastActiveAt, exact.LastActiveAt)
		}
		n.idle(t, l.ID, 5*time.Minute)
		before := n.resolve(t, cookie)
		after := got(n.sessions.Touch(t.Context(), before, false))(t)
		if after.Verdict.IdleRemaining < testLimits.Idle-time.Minute || before.Verdict.IdleRemaining > testLimits.Idle-4*time.Minute {
			t.Errorf("remaining %v, then %v", before.Verdict.IdleRemaining, after.Verdict.IdleRemaining)
		}
		told(t, n, l.ID) // activity is no event, unless a warning was out
		n.idle(t, l.ID, testLimits.Idle-30*time.Second)
		got(n.sessions.Touch(t.Context(), n.resolve(t, cookie), false))(t)
		told(t, n, l.ID, "active")

		// Reading never moves the clock.
		n.idle(t, l.ID, 3*time.Minute)
		at := n.resolve(t, cookie).LastActiveAt
		got(n.sessions.List(t.Context(), l.UserID))(t)
		got(n.sessions.Ticket(n.resolve(t, cookie)))(t)
		if again := n.resolve(t, cookie); again.LastActiveAt != at {
			t.Errorf("active at %v, then %v", at, again.LastActiveAt)
		}
	})
}

// TestTouchIsTheLastCheck: what was read before the session changed does not let it act.
//
// Security: L12
func TestTouchIsTheLastCheck(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		n.person(t, "ann")
		for _, c := range []struct {
			name   string
			change func(l *Live)
			code   models.Code
		}{
			{"locked meanwhile", func(l *Live) { got(n.sessions.Lock(t.Context(), l, l.ID))(t) }, models.CodeLocked},
			{"idle meanwhile", func(l *Live) { n.idle(t, l.ID, testLimits.Idle) }, models.CodeLocked},
			{"ended meanwhile", func(l *Live) { must(t, n.sessions.Logout(t.Context(), l)) }, models.CodeUnauthenticated},
			{"too old meanwhile", func(l *Live) { n.age(t, l.ID, testLimits.Max) }, models.CodeUnauthenticated},
			{"under another cookie meanwhile", func(l *Live) {
				got(n.sessions.ChangePassword(t.Context(), l, password, password))(t)
			}, models.CodeUnauthenticated},
		} {
			l, _ := n.signIn(t, "ann")
			c.change(l)
			_, err := n.sessions.Touch(t.Context(), l, true)
			refused(t, c.name, err, c.code)
		}
	})
}

// Security: S2, S8
func TestUnlock(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		n.person(t, "ann")
		l, cookie := n.signIn(t, "ann")
		if same, fresh, err := n.sessions.Unlock(t.Context(), l, "whatever"); err != nil || same.ID != l.ID || fresh != "" {
			t.Errorf("while active: %v, %q, %v", same, fresh, err)
		}
		n.age(t, l.ID, time.Hour)
		n.idle(t, l.ID, testLimits.Idle)
		locked := n.resolve(t, cookie)
		for left := 4; left >= 3; left-- {
			_, _, err := n.sessions.Unlock(t.Context(), locked, "wrong horse")
			if e := refused(t, "wrong", err, models.CodeUnauthenticated); e.AttemptsLeft == nil || *e.AttemptsLeft != left || e.Reason != "" {
				t.Errorf("%+v, want %d left", e, left)
			}
		}
		open, fresh, err := n.sessions.Unlock(t.Context(), locked, password)
		must(t, err)
		stands(t, "unlocked", open, models.SessionActive, "")
		if fresh == cookie || open.ID != l.ID || open.FailedUnlocks != 0 || open.Verdict.IdleRemaining < testLimits.Idle-time.Minute ||
			open.Verdict.MaxRemaining > testLimits.Max-time.Hour {
			t.Errorf("unlocked: %+v", open)
		}
		_, err = n.sessions.Resolve(t.Context(), cookie)
		refused(t, "the old cookie", err, models.CodeUnauthenticated)
		stands(t, "the new cookie", n.resolve(t, fresh), models.SessionActive, "")
		told(t, n, l.ID, "locked idle", "active")
	})
}

// Security: S29, L17
func TestFifthWrongUnlockEnds(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		n.person(t, "ann")
		l, cookie := n.signIn(t, "ann")
		locked := got(n.sessions.Lock(t.Context(), l, l.ID))(t)
		var tries, ends atomic.Int32
		atOnce(models.MaxUnlockAttempts, func(int) {
			_, _, err := n.sessions.Unlock(t.Context(), locked, "wrong horse")
			var e *models.Error
			if !errors.As(err, &e) || e.Code != models.CodeUnauthenticated {
				t.Errorf("%v", err)
				return
			}
			if e.AttemptsLeft != nil {
				tries.Add(1)
			}
			if e.Reason == string(models.ReasonTooManyAttempts) {
				ends.Add(1)
			}
		})
		if tries.Load() != models.MaxUnlockAttempts-1 || ends.Load() != 1 {
			t.Errorf("%d wrong tries and %d ends", tries.Load(), ends.Load())
		}
		stands(t, "after five", n.resolve(t, cookie), models.SessionEnded, models.ReasonTooManyAttempts)
		_, _, err := n.sessions.Unlock(t.Context(), locked, password)
		if e := refused(t, "the right one after five", err, models.CodeUnauthenticated); e.Reason != string(models.ReasonTooManyAttempts) {
			t.Errorf("%+v", e)
		}
		told(t, n, l.ID, "locked manual", "ended too_many_attempts")
	})
}

// TestTwoUnlocksRace: one gets the session under its new cookie, the other is told to ask again.
//
// Security: L13
func TestTwoUnlocksRace(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		n.person(t, "ann")
		l, _ := n.signIn(t, "ann")
		locked := got(n.sessions.Lock(t.Context(), l, l.ID))(t)
		cookies := make([]string, 2)
		var lost atomic.Int32
		atOnce(2, func(i int) {
			_, cookie, err := n.sessions.Unlock(t.Context(), locked, password)
			cookies[i] = cookie
			if err == nil {
				return
			}
			lost.Add(1)
			if e := refused(t, "the second", err, models.CodeUnauthenticated); e.AttemptsLeft != nil || e.Reason != "" {
				t.Errorf("%+v", e)
			}
		})
		if lost.Load() != 1 || (cookies[0] == "") == (cookies[1] == "") {
			t.Fatalf("%d lost", lost.Load())
		}
		stands(t, "the winner's cookie", n.resolve(t, cookies[0]+cookies[1]), models.SessionActive, "")
		_, _, err := n.sessions.Unlock(t.Context(), locked, "wrong horse")
		if e := refused(t, "a wrong one that comes late", err, models.CodeUnauthenticated); e.AttemptsLeft != nil || e.Reason != "" {
			t.Errorf("%+v", e)
		}
		if failed := n.number(t, "SELECT failed_unlocks FROM sessions WHERE id = ?", l.ID); failed != 0 {
			t.Errorf("%d attempts counted", failed)
		}
		told(t, n, l.ID, "locked manual", "active")
	})
}

// TestUnlockAndEndRace: whatever comes first, an ended session stays ended.
//
// Security: L13
func TestUnlockAndEndRace(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		n.person(t, "ann")
		for range 5 {
			l, _ := n.signIn(t, "ann")
			locked := got(n.sessions.Lock(t.Context(), l, l.ID))(t)
			atOnce(2, func(i int) {
				if i == 0 {
					if err := n.sessions.EndUser(context.WithoutCancel(t.Context()), "ann"); err != nil {
						t.Error(err)
					}
					return
				}
				_, _, _ = n.sessions.Unlock(t.Context(), locked, password)
			})
			stands(t, "after both", got(n.sessions.current(t.Context(), l.ID))(t), models.SessionEnded, models.ReasonAdmin)
		}
	})
}

// TestProvedTooLate: a session that was locked or ended while the password was looked at is told so, and not that all is well.
func TestProvedTooLate(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		n.person(t, "ann")
		l, _ := n.signIn(t, "ann")
		got(n.sessions.Lock(t.Context(), l, l.ID))(t)
		refused(t, "locked", n.sessions.Reauthenticate(t.Context(), l, password), models.CodeLocked)
		must(t, n.sessions.Logout(t.Context(), l))
		refused(t, "ended", n.sessions.Reauthenticate(t.Context(), l, password), models.CodeUnauthenticated)
	})
}

// TestUnlockPastTheLongestAge: a session whose time ran out after the request was let in does not open, though nobody has
// written down its end yet.
func TestUnlockPastTheLongestAge(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		n.person(t, "ann")
		l, cookie := n.signIn(t, "ann")
		locked := got(n.sessions.Lock(t.Context(), l, l.ID))(t)
		n.age(t, l.ID, testLimits.Max)
		_, _, err := n.sessions.Unlock(t.Context(), locked, password)
		if e := refused(t, "too old", err, models.CodeUnauthenticated); e.Reason != string(models.ReasonMaxAge) || e.AttemptsLeft != nil {
			t.Errorf("%+v", e)
		}
		stands(t, "after it", n.resolve(t, cookie), models.SessionEnded, models.ReasonMaxAge)
		told(t, n, l.ID, "locked manual", "ended max_age")
	})
}
