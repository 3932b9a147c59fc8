package services

import (
	"encoding/json"
	"strings"
	"testing"

	"belfry/models"
)

// spoilt is what may be wrong with an assertion: each changes the device, or what is sent of it.
var spoilt = map[string]func(d *device, b *Begun, other *device){
	"wrong origin":         func(d *device, _ *Begun, _ *device) { d.party.Origin = "https://evil.example" },
	"origin of a neighbor": func(d *device, _ *Begun, _ *device) { d.party.Origin = "https://www.belfry.example" },
	"another port":         func(d *device, _ *Begun, _ *device) { d.party.Origin = "https://belfry.example:8443" },
	"plain http":           func(d *device, _ *Begun, _ *device) { d.party.Origin = "http://belfry.example" },
	"wrong relying party":  func(d *device, _ *Begun, _ *device) { d.party.ID = "example" },
	"wrong challenge": func(_ *device, b *Begun, _ *device) {
		b.Options = map[string]any{"challenge": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}
	},
	"no user verification": func(d *device, _ *Begun, _ *device) { d.Options.UserNotVerified = true },
	"nobody present":       func(d *device, _ *Begun, _ *device) { d.Options.UserNotPresent = true },
	"counter going back":   func(d *device, _ *Begun, _ *device) { d.key.Counter = 1 },
	"counter standing":     func(d *device, _ *Begun, _ *device) { d.key.Counter-- },
	"another key":          func(d *device, _ *Begun, other *device) { d.key.Key = other.key.Key },
	"an unknown passkey":   func(d *device, _ *Begun, _ *device) { d.key = newDevice().key },
	"another's handle":     func(d *device, _ *Begun, other *device) { d.Options.UserHandle = other.Options.UserHandle },
	"an unknown handle":    func(d *device, _ *Begun, _ *device) { d.Options.UserHandle = make([]byte, handleSize) },
}

// TestWrongPasskey: whatever is wrong is refused in one way wherever a passkey proves something, and nothing moves.
// Security: S43, S44
func TestWrongPasskey(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		ctx := t.Context()
		n.throttle.rate.Count = 1000
		n.person(t, "anna")
		n.person(t, "bob")
		bob, _ := n.signIn(t, "bob")
		anna, _ := n.signIn(t, "anna")
		good, other := n.enrol(t, anna), n.enrol(t, bob)
		for range 3 { // so that there is room for a counter to go back
			must(t, n.passkeys.Reauthenticate(ctx, anna, good.sign(t, got(n.passkeys.BeginReauthenticate(ctx, anna))(t))))
		}
		for what, spoil := range spoilt {
			answer := func(b Begun) Answer {
				d, c := *good, b
				d.key.Counter++
				spoil(&d, &c, other)
				return d.signAgain(t, c)
			}
			_, _, err := n.passkeys.Login(ctx, answer(got(n.passkeys.BeginLogin(ctx, anywhere))(t)), anywhere, nil)
			if e := refused(t, what+" at login", err, models.CodeUnauthenticated); e.AttemptsLeft != nil || e.Detail != errWrongPasskey.Detail {
				t.Errorf("%s at login: %+v", what, e)
			}
			err = n.passkeys.Reauthenticate(ctx, anna, answer(got(n.passkeys.BeginReauthenticate(ctx, anna))(t)))
			if e := refused(t, what+" at re-authentication", err, models.CodeUnauthenticated); e.AttemptsLeft != nil || e.Detail != errWrongPasskey.Detail {
				t.Errorf("%s at re-authentication: %+v", what, e)
			}
			locked := n.lock(t, anna)
			_, _, err = n.passkeys.Unlock(ctx, locked, answer(got(n.passkeys.BeginUnlock(ctx, locked))(t)))
			if e := refused(t, what+" at unlock", err, models.CodeUnauthenticated); e.AttemptsLeft == nil || *e.AttemptsLeft != models.MaxUnlockAttempts-1 {
				t.Errorf("%s at unlock: %+v", what, e)
			}
			anna, _, err = n.passkeys.Unlock(ctx, locked, good.sign(t, got(n.passkeys.BeginUnlock(ctx, locked))(t)))
			must(t, err)
		}
		for action, times := range map[string]int{"sign_in.failed": 1, "reauthentication.failed": 1, "unlock.failed": 1} {
			if acts := n.actions(t, action); len(acts) != times*len(spoilt) {
				t.Errorf("%s is on record %d times for %d wrong passkeys", action, len(acts), len(spoilt))
			}
		}
		if acts := n.actions(t, "passkey.refused"); len(acts) != 2*3 {
			t.Errorf("%d records of a counter that did not grow, want 6", len(acts))
		}
		if n := n.number(t, "SELECT count(*) FROM sessions"); n != 2 {
			t.Errorf("%d sessions after wrong passkeys, want the 2 before", n)
		}
	})
}

// TestWrongNewPasskey: what does not come from the right page, or from a person, is not kept.
// Security: S43
func TestWrongNewPasskey(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		ctx := t.Context()
		n.person(t, "anna")
		anna, _ := n.signIn(t, "anna")
		for _, what := range []string{"wrong origin", "plain http", "wrong relying party", "wrong challenge", "no user verification", "nobody present"} {
			d := newDevice()
			begun := got(n.passkeys.BeginAdd(ctx, anna))(t)
			if what == "wrong challenge" {
				made := d.make(t, got(n.passkeys.BeginAdd(ctx, anna))(t), "phone")
				made.Ceremony = begun.Ceremony
				_, _, err := n.passkeys.Add(ctx, anna, made, Repeatable{})
				refused(t, what, err, models.CodeInvalid)
				continue
			}
			spoilt[what](d, &begun, nil)
			made := d.make(t, begun, "phone")
			_, _, err := n.passkeys.Add(ctx, anna, made, Repeatable{})
			if e := refused(t, what, err, models.CodeInvalid); len(e.Fields) != 1 || e.Fields[0].Field != "credential" {
				t.Errorf("%s: %+v", what, e)
			}
			_, _, err = n.passkeys.Add(ctx, anna, made, Repeatable{})
			if e := refused(t, what+" again", err, models.CodeInvalid); len(e.Fields) != 1 || e.Fields[0].Field != "ceremony" {
				t.Errorf("%s leaves the ceremony: %+v", what, e)
			}
		}
		for _, name := range []string{"", "  ", strings.Repeat("é", 101)} {
			_, _, err := n.passkeys.Add(ctx, anna, newDevice().make(t, got(n.passkeys.BeginAdd(ctx, anna))(t), name), Repeatable{})
			refused(t, "the name "+name, err, models.CodeInvalid)
		}
		for _, text := range []string{"{}", "null", "[]", `{"id":"AA","type":"public-key"}`, `{"id":"AA","rawId":"AA","type":"public-key","response":{}}`} {
			_, _, err := n.passkeys.Add(ctx, anna, NewPasskey{got(n.passkeys.BeginAdd(ctx, anna))(t).Ceremony, "phone", json.RawMessage(text)}, Repeatable{})
			refused(t, text, err, models.CodeInvalid)
		}
		if kept := n.number(t, "SELECT count(*) FROM passkeys"); kept != 0 {
			t.Errorf("%d passkeys were kept", kept)
		}
	})
}

// TestPasskeyOfAnother: with another's device a session stays locked, it counts, and the fifth time ends it.
// Security: L16, L17
func TestPasskeyOfAnother(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		ctx := t.Context()
		n.person(t, "anna")
		n.person(t, "bob")
		bob, _ := n.signIn(t, "bob")
		theirs := n.enrol(t, bob)
		anna, cookie := n.signIn(t, "anna")
		_, err := n.passkeys.BeginUnlock(ctx, n.lock(t, anna))
		refused(t, "asking who has no passkey", err, models.CodeConflict)
		anna, cookie, err = n.sessions.Unlock(ctx, n.resolve(t, cookie), password)
		must(t, err)
		n.enrol(t, anna)
		locked := n.lock(t, anna)
		for left := models.MaxUnlockAttempts - 1; left > 0; left-- {
			_, _, err := n.passkeys.Unlock(ctx, locked, theirs.sign(t, got(n.passkeys.BeginUnlock(ctx, locked))(t)))
			if e := refused(t, "another's passkey", err, models.CodeUnauthenticated); e.AttemptsLeft == nil || *e.AttemptsLeft != left || e.Reason != "" {
				t.Errorf("want %d attempts left: %+v", left, e)
			}
		}
		_, _, err = n.passkeys.Unlock(ctx, locked, theirs.sign(t, got(n.passkeys.BeginUnlock(ctx, locked))(t)))
		if e := refused(t, "the fifth", err, models.CodeUnauthenticated); e.Reason != string(models.ReasonTooManyAttempts) {
			t.Errorf("the fifth: %+v", e)
		}
		if l := n.resolve(t, cookie); l.Verdict.State != models.SessionEnded {
			t.Errorf("the session is %s", l.Verdict.State)
		}
	})
}

// TestPasskeyGone: who is disabled, or has removed the passkey, comes in by it no more.
// Security: S11, S45
func TestPasskeyGone(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		ctx := t.Context()
		n.person(t, "anna")
		anna, _ := n.signIn(t, "anna")
		lost, kept := n.enrol(t, anna), n.enrol(t, anna)
		login := func(d *device) error {
			_, _, err := n.passkeys.Login(ctx, d.sign(t, got(n.passkeys.BeginLogin(ctx, anywhere))(t)), anywhere, nil)
			return err
		}
		must(t, login(lost))
		locked := n.lock(t, anna)
		begun := got(n.passkeys.BeginUnlock(ctx, locked))(t)
		other, _ := n.signIn(t, "anna")
		must(t, n.passkeys.Remove(ctx, other, got(n.passkeys.List(ctx, anna.UserID))(t)[0].ID))
		refused(t, "a removed passkey", login(lost), models.CodeUnauthenticated)
		_, _, err := n.passkeys.Unlock(ctx, locked, lost.sign(t, begun))
		if e := refused(t, "a passkey that was removed after the question", err, models.CodeUnauthenticated); e.AttemptsLeft == nil {
			t.Errorf("it was no attempt: %+v", e)
		}
		// The other one goes on, also for what was begun while both were there.
		n.enrol(t, other)
		begun = got(n.passkeys.BeginUnlock(ctx, locked))(t)
		must(t, n.passkeys.Remove(ctx, other, got(n.passkeys.List(ctx, anna.UserID))(t)[1].ID))
		_, _, err = n.passkeys.Unlock(ctx, locked, kept.sign(t, begun))
		must(t, err)

		must(t, n.users.Disable(ctx, "anna"))
		if e := refused(t, "a disabled person", login(kept), models.CodeUnauthenticated); e.Detail != errWrongPasskey.Detail {
			t.Errorf("a disabled person is told %q", e.Detail)
		}
		must(t, n.users.Enable(ctx, "anna"))
		must(t, login(kept))
		must(t, n.users.Delete(ctx, "anna"))
		refused(t, "a deleted person", login(kept), models.CodeUnauthenticated)
		if left := n.number(t, "SELECT count(*) FROM passkeys"); left != 0 {
			t.Errorf("%d passkeys of a deleted person are left", left)
		}
	})
}
