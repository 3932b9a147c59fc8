package services

import (
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"belfry/models"
)

const nextPassword = "battery staple"

func (n *node) reset(t testing.TB, token string) error {
	t.Helper()
	return n.sessions.ResetPassword(t.Context(), token, nextPassword, Client{IP: "192.0.2.1"})
}

// badToken holds a refusal to the one wording, whatever is wrong with the token.
func badToken(t testing.TB, what string, err error) {
	t.Helper()
	if e := refused(t, what, err, models.CodeInvalid); len(e.Fields) != 1 || e.Fields[0] != errBadReset.Fields[0] || e.Fields[0].Field != "token" {
		t.Errorf("%s: %+v", what, e)
	}
}

// TestResetPassword sets a new password by a link, once, and puts out who was signed in.
//
// Security: S11
func TestResetPassword(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		n.person(t, "ann")
		n.person(t, "bob")
		bob, _ := n.signIn(t, "bob")
		active, cookie := n.signIn(t, "ann")
		locked, _ := n.signIn(t, "ann")
		got(n.sessions.Lock(t.Context(), locked, locked.ID))(t)
		_, err := n.users.MakeReset(t.Context(), "nobody")
		refused(t, "nobody", err, models.CodeNotFound)
		made := got(n.users.MakeReset(t.Context(), "ANN"))(t)
		if life := int64(made.ExpiresAt) - n.number(t, "SELECT "+n.db.now()); life > 3_600_000 || life < 3_590_000 || len(made.Token) < 43 {
			t.Errorf("%d ms, token of %d characters", life, len(made.Token))
		}
		if link := made.URL(&url.URL{Scheme: "https", Host: "belfry.example:8443"}); link != "https://belfry.example:8443/reset#"+made.Token {
			t.Errorf("%s", link)
		}
		err = n.sessions.ResetPassword(t.Context(), made.Token, "short", Client{})
		if e := refused(t, "a short password", err, models.CodeInvalid); len(e.Fields) != 1 || e.Fields[0].Field != "new" {
			t.Errorf("%+v", e)
		}
		badToken(t, "none", n.reset(t, ""))
		badToken(t, "another", n.reset(t, strings.Repeat("x", 43)))
		busy := NewHasher(HashCost{Memory: 8, Passes: 1, Lanes: 1})
		for range cap(busy.line) {
			busy.line <- struct{}{}
		}
		n.sessions.hasher = busy
		badToken(t, "none costs no hash", n.reset(t, ""))
		n.sessions.hasher = testHasher()
		stands(t, "before", n.resolve(t, cookie), models.SessionActive, "")
		must(t, n.reset(t, made.Token))
		stands(t, "after", n.resolve(t, cookie), models.SessionEnded, models.ReasonPasswordChanged)
		told(t, n, active.ID, "ended password_changed")
		told(t, n, locked.ID, "locked manual", "ended password_changed")
		told(t, n, bob.ID)
		badToken(t, "used", n.reset(t, made.Token))
		_, _, err = n.sessions.Login(t.Context(), Credentials{Username: "ann", Password: password}, Client{}, nil)
		refused(t, "the old password", err, models.CodeUnauthenticated)
		_, _, err = n.sessions.Login(t.Context(), Credentials{Username: "ann", Password: nextPassword}, Client{}, nil)
		must(t, err)
		n.recorded(t, "password.", "password.reset ann", "password.reset_link_made ann")
	})
}

// TestVoidResets: a link is good for an hour, until a newer one is made, or the password is set in another way.
func TestVoidResets(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		n.person(t, "ann")
		link := func() string { t.Helper(); return got(n.users.MakeReset(t.Context(), "ann"))(t).Token }
		old, fresh := link(), link()
		badToken(t, "an older one", n.reset(t, old))
		n.run(t, "UPDATE password_resets SET expires_at = expires_at - ?", resetTTL.Milliseconds())
		badToken(t, "one that has expired", n.reset(t, fresh))
		must(t, n.reset(t, link()))
		link()
		n.run(t, "UPDATE password_resets SET expires_at = expires_at - ?", resetTTL.Milliseconds())
		must(t, n.house.purge(t.Context()))
		if left := n.number(t, "SELECT count(*) FROM password_resets"); left != 0 {
			t.Errorf("%d are kept", left)
		}
		byAdmin := link()
		must(t, n.users.SetPassword(t.Context(), "ann", password))
		badToken(t, "after an admin set the password", n.reset(t, byAdmin))
		own := link()
		l, _ := n.signIn(t, "ann")
		got(n.sessions.ChangePassword(t.Context(), l, password, password))(t)
		badToken(t, "after the person changed it", n.reset(t, own))
		kept := link()
		must(t, n.house.purge(t.Context()))
		must(t, n.users.Disable(t.Context(), "ann"))
		must(t, n.reset(t, kept))
		_, _, err := n.sessions.Login(t.Context(), Credentials{Username: "ann", Password: nextPassword}, Client{}, nil)
		refused(t, "disabled all the same", err, models.CodeUnauthenticated)
		gone := link()
		must(t, n.users.Delete(t.Context(), "ann"))
		badToken(t, "of somebody deleted", n.reset(t, gone))
	})
}

// TestOneLinkIsUsedOnce uses one token many times at once, each for another password: one is set.
func TestOneLinkIsUsedOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		n.person(t, "ann")
		for range 4 {
			token := got(n.users.MakeReset(t.Context(), "ann"))(t).Token
			var set, not atomic.Int32
			var winner atomic.Value
			atOnce(6, func(i int) {
				mine := nextPassword + strings.Repeat("!", i)
				switch err := n.sessions.ResetPassword(t.Context(), token, mine, Client{}); outcome(err) {
				case "":
					set.Add(1)
					winner.Store(mine)
				case models.CodeInvalid:
					not.Add(1)
				default:
					t.Error(err)
				}
			})
			if set.Load() != 1 || not.Load() != 5 {
				t.Fatalf("%d set a password, %d were refused", set.Load(), not.Load())
			}
			_, _, err := n.sessions.Login(t.Context(), Credentials{Username: "ann", Password: winner.Load().(string)}, Client{}, nil)
			must(t, err)
		}
	})
}

// TestOldPasswordRacesReset: whoever signs in with the old password at that moment is let in before and put out, or not
// let in.
//
// Security: S11
func TestOldPasswordRacesReset(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		for round := range 20 {
			name := "ann" + string(rune('a'+round))
			n.person(t, name)
			token := got(n.users.MakeReset(t.Context(), name))(t).Token
			atOnce(4, func(i int) {
				if i == 0 {
					must(t, n.reset(t, token))
				} else if err := n.signInWith(t, name, ""); err != nil {
					refused(t, "the old password", err, models.CodeUnauthenticated)
				}
			})
			if open := n.number(t, "SELECT count(*) FROM sessions s JOIN users u ON u.id = s.user_id WHERE username = ? AND state <> 'ended'", name); open != 0 {
				t.Fatalf("round %d: %d sessions by the old password are open", round, open)
			}
		}
	})
}

// TestResetsAreThrottled by the address: there is no account to go by.
//
// Security: S29
func TestResetsAreThrottled(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		n.person(t, "ann")
		token := got(n.users.MakeReset(t.Context(), "ann"))(t).Token
		n.throttle.now = func() time.Time { return time.Unix(0, 0) } // none of them drains
		tries := failures(t, 300, func(int) error {
			if err := n.reset(t, "none"); codeOf(err) != models.CodeInvalid {
				return err
			}
			return nil
		})
		if tries != 200 {
			t.Errorf("%d tries", tries)
		}
		refused(t, "a good one after too many", n.reset(t, token), models.CodeRateLimited)
		must(t, n.sessions.ResetPassword(t.Context(), token, nextPassword, Client{IP: "192.0.2.2"}))
	})
}
