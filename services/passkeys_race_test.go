package services

import (
	"errors"
	"sync/atomic"
	"testing"

	"github.com/go-webauthn/webauthn/webauthn"

	"belfry/internal/testpg"
	"belfry/models"
)

// TestPasskeyCeremony: what was begun is finished once, by the session that began it, in time, for what it was begun for.
// None of the others is an attempt.
// Security: S43
func TestPasskeyCeremony(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		ctx := t.Context()
		n.person(t, "anna")
		anna, _ := n.signIn(t, "anna")
		d := n.enrol(t, anna)
		other, _ := n.signIn(t, "anna")
		locked, elsewhere := n.lock(t, anna), n.lock(t, other)
		over := func(what string, err error) {
			t.Helper()
			if e := refused(t, what, err, models.CodeInvalid); len(e.Fields) != 1 || e.Fields[0].Field != "ceremony" {
				t.Errorf("%s: %+v", what, e)
			}
		}
		unlock := func(l *Live, a Answer) error { _, _, err := n.passkeys.Unlock(ctx, l, a); return err }

		over("never begun", unlock(locked, Answer{"none", d.sign(t, got(n.passkeys.BeginUnlock(ctx, locked))(t)).Credential}))
		over("begun by another session of the same person", unlock(elsewhere, d.sign(t, got(n.passkeys.BeginUnlock(ctx, locked))(t))))
		over("begun for a login", unlock(locked, d.sign(t, got(n.passkeys.BeginLogin(ctx, anywhere))(t))))
		_, _, err := n.passkeys.Login(ctx, d.sign(t, got(n.passkeys.BeginUnlock(ctx, locked))(t)), anywhere, nil)
		over("begun for an unlock", err)
		late := d.sign(t, got(n.passkeys.BeginUnlock(ctx, locked))(t))
		n.run(t, "UPDATE ceremonies SET expires_at = expires_at - ?", passkeyLifetime.Milliseconds())
		over("too late", unlock(locked, late))

		login := d.sign(t, got(n.passkeys.BeginLogin(ctx, anywhere))(t))
		_, _, err = n.passkeys.Login(ctx, login, anywhere, nil)
		must(t, err)
		_, _, err = n.passkeys.Login(ctx, login, anywhere, nil)
		over("a login played back", err)

		if failed := n.number(t, "SELECT max(failed_unlocks) FROM sessions"); failed != 0 {
			t.Errorf("%d attempts were counted", failed)
		}
		must(t, unlock(locked, d.sign(t, got(n.passkeys.BeginUnlock(ctx, locked))(t))))
	})
}

// TestPasskeyOnTwoNodes: any node finishes what another began.
func TestPasskeyOnTwoNodes(t *testing.T) {
	t.Parallel()
	address := testpg.Database(t)
	one, two := newNode(t, address), newNode(t, address)
	ctx := t.Context()
	one.person(t, "anna")
	anna, cookie := one.signIn(t, "anna")
	d := newDevice()
	_, _, err := two.passkeys.Add(ctx, two.resolve(t, cookie), d.make(t, got(one.passkeys.BeginAdd(ctx, anna))(t), "phone"), Repeatable{})
	must(t, err)
	locked := one.lock(t, anna)
	answer := d.sign(t, got(one.passkeys.BeginUnlock(ctx, locked))(t))
	_, _, err = two.passkeys.Unlock(ctx, locked, answer)
	must(t, err)
	_, _, err = one.passkeys.Login(ctx, d.sign(t, got(two.passkeys.BeginLogin(ctx, anywhere))(t)), anywhere, nil)
	must(t, err)
}

// TestPasskeyUnlockRace: of two right answers one opens the session, and one new cookie is given; against an end the end
// wins, and what lost is no attempt.
// Security: L13
func TestPasskeyUnlockRace(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		ctx := t.Context()
		n.throttle.rate.Count = 1000
		n.person(t, "anna")
		home, _ := n.signIn(t, "anna")
		d := n.enrol(t, home)
		for range 10 {
			l, _ := n.signIn(t, "anna")
			locked := n.lock(t, l)
			answers := []Answer{d.sign(t, got(n.passkeys.BeginUnlock(ctx, locked))(t)), d.sign(t, got(n.passkeys.BeginUnlock(ctx, locked))(t))}
			var won atomic.Int32
			atOnce(2, func(i int) {
				_, cookie, err := n.passkeys.Unlock(ctx, locked, answers[i])
				if err == nil && cookie != "" {
					won.Add(1)
				} else if e, ok := errors.AsType[*models.Error](err); !ok || e.Code != models.CodeUnauthenticated || e.AttemptsLeft != nil || e.Reason != "" {
					t.Errorf("the one that lost: %v", err)
				}
			})
			if won.Load() != 1 {
				t.Errorf("%d of 2 unlocked", won.Load())
			}
			if failed := n.number(t, "SELECT failed_unlocks FROM sessions WHERE id = ?", l.ID); failed != 0 {
				t.Errorf("%d attempts were counted", failed)
			}

			l, cookie := n.signIn(t, "anna")
			locked = n.lock(t, l)
			answer := d.sign(t, got(n.passkeys.BeginUnlock(ctx, locked))(t))
			atOnce(2, func(i int) {
				if i == 0 {
					if err := n.sessions.End(ctx, home, l.ID); err != nil {
						t.Error(err)
					}
				} else if _, _, err := n.passkeys.Unlock(ctx, locked, answer); err != nil {
					refused(t, "an unlock that raced an end", err, models.CodeUnauthenticated)
				}
			})
			if state := n.number(t, "SELECT count(*) FROM sessions WHERE id = ? AND state = 'ended'", l.ID); state != 1 {
				t.Errorf("the session did not end: %s", n.resolve(t, cookie).Verdict.State)
			}
		}
	})
}

// TestPasskeySpent: the last look at a passkey is in the transaction that it is for, so that what was verified before a
// removal, or twice, starts nothing after it.
// Security: S45
func TestPasskeySpent(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		ctx := t.Context()
		anna := n.person(t, "anna")
		home, _ := n.signIn(t, "anna")
		d := n.enrol(t, home)
		verified := &webauthn.Credential{ID: d.key.ID, Authenticator: webauthn.Authenticator{SignCount: 7}}
		for _, twice := range []bool{false, true} {
			_, _, err := n.sessions.start(ctx, anna, anywhere, nil, byPasskey, n.passkeys.spend(verified))
			if (err != nil) != twice {
				t.Errorf("started by the signature, a second time %t: %v", twice, err)
			}
		}
		n.run(t, "DELETE FROM passkeys")
		verified.Authenticator.SignCount++
		_, _, err := n.sessions.start(ctx, anna, anywhere, nil, byPasskey, n.passkeys.spend(verified))
		refused(t, "removed after it was verified", err, models.CodeUnauthenticated)
		if started := n.number(t, "SELECT count(*) FROM sessions"); started != 2 {
			t.Errorf("%d sessions, want 2", started)
		}
	})
}

// TestPasskeyLoginRace: a passkey that is taken away lets nobody in behind the back of who takes it away.
// Security: S45
func TestPasskeyLoginRace(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		ctx := t.Context()
		n.throttle.rate.Count = 1000
		n.person(t, "anna")
		for range 10 {
			home, _ := n.signIn(t, "anna")
			d := n.enrol(t, home)
			answer := d.sign(t, got(n.passkeys.BeginLogin(ctx, anywhere))(t))
			var entered *Live
			atOnce(2, func(i int) {
				if i == 0 {
					if err := n.sessions.RemoveFactors(ctx, "anna"); err != nil {
						t.Error(err)
					}
				} else {
					entered, _, _ = n.passkeys.Login(ctx, answer, anywhere, nil)
				}
			})
			if entered != nil && n.number(t, "SELECT count(*) FROM sessions WHERE id = ? AND state <> 'ended'", entered.ID) != 0 {
				t.Fatal("who came in by a passkey that was taken away is still in")
			}
		}
	})
}

// TestNothingIsKeptForASessionThatIsNoLongerActive: it was when the request came, and that does not count.
// Security: S10, S43
func TestNothingIsKeptForASessionThatIsNoLongerActive(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		n.person(t, "anna")
		anna, _ := n.signIn(t, "anna")
		one, two := newDevice().make(t, got(n.passkeys.BeginAdd(t.Context(), anna))(t), "phone"), newDevice().make(t, got(n.passkeys.BeginAdd(t.Context(), anna))(t), "key")
		n.lock(t, anna)
		_, _, err := n.passkeys.Add(t.Context(), anna, one, Repeatable{})
		refused(t, "a passkey while locked", err, models.CodeLocked)
		must(t, n.sessions.EndAny(t.Context(), anna.ID))
		_, _, err = n.passkeys.Add(t.Context(), anna, two, Repeatable{})
		refused(t, "a passkey after the end", err, models.CodeUnauthenticated)
		if kept := n.number(t, "SELECT count(*) FROM passkeys"); kept != 0 {
			t.Errorf("%d passkeys", kept)
		}
	})
}
