package services

import (
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"belfry/internal/testpg"
	"belfry/models"
)

// TestTOTPStep_RFC6238 holds the codes to those of the standard's appendix B (their last six digits), and to the steps
// that may be used.
func TestTOTPStep_RFC6238(t *testing.T) {
	t.Parallel()
	const secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ" // 12345678901234567890
	for at, code := range map[int64]string{
		59: "287082", 1111111109: "081804", 1111111111: "050471", 1234567890: "005924", 2000000000: "279037", 20000000000: "353130",
	} {
		own := at / 30
		for _, tt := range []struct {
			what         string
			now          int64 // s
			used, expect int64
		}{
			{"now", at, 0, own}, {"a step early", at - 30, 0, own}, {"a step late", at + 30, 0, own},
			{"two steps early", at - 60, 0, 0}, {"two steps late", at + 60, 0, 0},
			{"after the step before", at, own - 1, own}, {"once more", at, own, 0}, {"after a later one", at, own + 1, 0},
		} {
			if tt.now < 0 {
				continue // the first code of the standard is of the first minute there was
			}
			if step := totpStep(secret, code, models.Instant(tt.now*1000), tt.used); step != tt.expect {
				t.Errorf("%s of %d, %s: step %d, want %d", code, at, tt.what, step, tt.expect)
			}
		}
		for _, wrong := range []string{"", code[1:], code + "0", "x" + code[1:], "000000"} {
			if step := totpStep(secret, wrong, models.Instant(at*1000), 0); step != 0 {
				t.Errorf("%q counts at %d", wrong, at)
			}
		}
	}
}

// app is an authenticator app.
type app struct{ secret string }

// code is what it shows that many steps from now, by the database's clock.
func (a app) code(t testing.TB, n *node, steps int64) string {
	t.Helper()
	step := n.number(t, "SELECT "+n.db.now())/(totpPeriod*1000) + steps
	return got(totp.GenerateCodeCustom(a.secret, time.Unix(step*totpPeriod, 0), totpForm))(t)
}

// steady runs what must not reach over the end of a time step; where it did it is run again.
func (n *node) steady(t testing.TB, do func()) {
	t.Helper()
	for {
		began := n.number(t, "SELECT "+n.db.now()) / (totpPeriod * 1000)
		do()
		if began == n.number(t, "SELECT "+n.db.now())/(totpPeriod*1000) {
			return
		}
	}
}

// enroll gives a person an authenticator, whose codes were not used yet.
func (n *node) enroll(t testing.TB, name string) (app, []string) {
	t.Helper()
	l, _ := n.signIn(t, name)
	begun := got(n.factors.BeginTOTP(t.Context(), &l.User))(t)
	a := app{begun.Secret}
	codes := got(n.factors.ConfirmTOTP(t.Context(), l, a.code(t, n, 0)))(t)
	n.run(t, "UPDATE totps SET last_step = 0")
	return a, codes
}

func (n *node) signInWith(t testing.TB, name, code string) error {
	t.Helper()
	_, _, err := n.sessions.Login(t.Context(), Credentials{name, password, code}, Client{IP: "192.0.2.1"}, nil)
	return err
}

func TestTOTP(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		n.person(t, "ann")
		l, _ := n.signIn(t, "ann")
		_, err := n.factors.ConfirmTOTP(t.Context(), l, "123456")
		refused(t, "nothing was begun", err, models.CodeConflict)
		first := got(n.factors.BeginTOTP(t.Context(), &l.User))(t)
		begun := got(n.factors.BeginTOTP(t.Context(), &l.User))(t)
		u := got(url.Parse(begun.URI))(t)
		if q := u.Query(); u.Scheme != "otpauth" || u.Host != "totp" || u.Path != "/belfry.example:ann" || q.Get("secret") != begun.Secret || q.Get("issuer") != "belfry.example" ||
			q.Get("algorithm") != "SHA1" || q.Get("digits") != "6" || q.Get("period") != "30" || len(begun.Secret) != 32 || begun.Secret == first.Secret {
			t.Errorf("%+v after %+v", begun, first)
		}
		must(t, n.signInWith(t, "ann", "")) // not in use yet
		for _, wrong := range []string{app{first.Secret}.code(t, n, 0), app{begun.Secret}.code(t, n, 5), "", "12345", "1234567"} {
			_, err := n.factors.ConfirmTOTP(t.Context(), l, wrong)
			if e := refused(t, "a wrong code", err, models.CodeInvalid); len(e.Fields) != 1 || e.Fields[0].Field != "code" {
				t.Errorf("%+v", e)
			}
		}
		if view := got(n.factors.Of(t.Context(), &l.User))(t); view != (FactorsView{Password: true}) {
			t.Errorf("%+v", view)
		}
		code := app{begun.Secret}.code(t, n, 0)
		codes := got(n.factors.ConfirmTOTP(t.Context(), l, code[:3]+" "+code[3:]))(t)
		if view := got(n.factors.Of(t.Context(), &l.User))(t); len(codes) != 10 || view != (FactorsView{Password: true, TOTP: true, RecoveryCodes: 10}) {
			t.Errorf("%d codes, %+v", len(codes), view)
		}
		_, err = n.factors.ConfirmTOTP(t.Context(), l, app{begun.Secret}.code(t, n, 1))
		refused(t, "confirmed already", err, models.CodeConflict)
		refused(t, "the code that confirmed", n.signInWith(t, "ann", code), models.CodeUnauthenticated)

		// Another takes its place when it is confirmed, and no sooner.
		next := got(n.factors.BeginTOTP(t.Context(), &l.User))(t)
		must(t, n.signInWith(t, "ann", app{begun.Secret}.code(t, n, 1)))
		got(n.factors.ConfirmTOTP(t.Context(), l, app{next.Secret}.code(t, n, 0)))(t)
		n.run(t, "UPDATE totps SET last_step = 0")
		refused(t, "the old app", n.signInWith(t, "ann", app{begun.Secret}.code(t, n, 0)), models.CodeUnauthenticated)
		must(t, n.signInWith(t, "ann", app{next.Secret}.code(t, n, 0)))

		must(t, n.factors.DisableTOTP(t.Context(), &l.User))
		must(t, n.factors.DisableTOTP(t.Context(), &l.User)) // again is nothing
		must(t, n.signInWith(t, "ann", ""))
		if view := got(n.factors.Of(t.Context(), &l.User))(t); view != (FactorsView{Password: true}) {
			t.Errorf("%+v", view)
		}
		n.recorded(t, "totp.", "totp.disabled ann", "totp.enabled ann", "totp.enabled ann")
	})
}

// TestBegunTOTPExpires: what lies around unconfirmed is worthless after a while, and is removed.
func TestBegunTOTPExpires(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		n.person(t, "ann")
		l, _ := n.signIn(t, "ann")
		begun := got(n.factors.BeginTOTP(t.Context(), &l.User))(t)
		n.run(t, "UPDATE totps SET pending_at = pending_at - ?", totpPending.Milliseconds())
		_, err := n.factors.ConfirmTOTP(t.Context(), l, app{begun.Secret}.code(t, n, 0))
		refused(t, "too late", err, models.CodeConflict)
		n.person(t, "bob")
		n.enroll(t, "bob")
		must(t, n.house.purge(t.Context()))
		if left := n.number(t, "SELECT count(*) FROM totps"); left != 1 {
			t.Errorf("%d rows are kept, want that of the app in use", left)
		}
	})
}

// TestSignInWithTOTP: the neighbours of the present step count, each step counts once, and what is wrong is told apart
// from what is missing.
func TestSignInWithTOTP(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		n.person(t, "ann")
		a, _ := n.enroll(t, "ann")
		n.steady(t, func() {
			n.run(t, "UPDATE totps SET last_step = 0")
			refused(t, "two steps ago", n.signInWith(t, "ann", a.code(t, n, -2)), models.CodeUnauthenticated)
			refused(t, "in two steps", n.signInWith(t, "ann", a.code(t, n, 2)), models.CodeUnauthenticated)
			for _, steps := range []int64{-1, 0, 1} {
				must(t, n.signInWith(t, "ann", a.code(t, n, steps)))
				refused(t, "the same once more", n.signInWith(t, "ann", a.code(t, n, steps)), models.CodeUnauthenticated)
			}
			refused(t, "one before the last used", n.signInWith(t, "ann", a.code(t, n, 0)), models.CodeUnauthenticated)
			n.throttle.buckets = map[string]bucket{}
		})
		for _, none := range []string{"", " ", " - "} {
			refused(t, "no code", n.signInWith(t, "ann", none), models.CodeSecondFactor)
		}
		_, _, err := n.sessions.Login(t.Context(), Credentials{"ann", "wrong horse", a.code(t, n, 0)}, Client{}, nil)
		refused(t, "a wrong password", err, models.CodeUnauthenticated)
		n.person(t, "bob")
		must(t, n.signInWith(t, "bob", "123456")) // has no app: nobody asked for a code
	})
}

// TestUnlockAsksNoCode: the session was opened with both.
func TestUnlockAsksNoCode(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		n.person(t, "ann")
		a, _ := n.enroll(t, "ann")
		l, _, err := n.sessions.Login(t.Context(), Credentials{"ann", password, a.code(t, n, 0)}, Client{}, nil)
		must(t, err)
		l = got(n.sessions.Lock(t.Context(), l, l.ID))(t)
		l, _, err = n.sessions.Unlock(t.Context(), l, password)
		must(t, err)
		stands(t, "unlocked", l, models.SessionActive, "")
	})
}

// TestOneStepOnTwoNodes shows one code to two nodes at once, over and over: one lets in.
func TestOneStepOnTwoNodes(t *testing.T) {
	t.Parallel()
	address := testpg.Database(t)
	nodes := [2]*node{newNode(t, address), newNode(t, address)}
	nodes[0].person(t, "ann")
	a, _ := nodes[0].enroll(t, "ann")
	for round := range 8 {
		nodes[0].run(t, "UPDATE totps SET last_step = 0")
		code := a.code(t, nodes[0], 0)
		var in, out atomic.Int32
		atOnce(6, func(i int) {
			n := nodes[i%2]
			_, _, err := n.sessions.Login(t.Context(), Credentials{"ann", password, code}, Client{}, nil)
			switch outcome(err) {
			case "":
				in.Add(1)
			case models.CodeUnauthenticated:
				out.Add(1)
			default:
				t.Error(err)
			}
		})
		if in.Load() != 1 || out.Load() != 5 {
			t.Fatalf("round %d: %d were let in, %d refused", round, in.Load(), out.Load())
		}
		for _, n := range nodes {
			n.throttle.buckets = map[string]bucket{}
		}
	}
}

// TestWrongCodesAreThrottled: like wrong passwords from one address, and by the account alone from many. Right ones, and
// being asked for one, cost nothing.
//
// Security: S29
func TestWrongCodesAreThrottled(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		n.person(t, "ann")
		a, codes := n.enroll(t, "ann")
		for range 15 {
			refused(t, "no code", n.signInWith(t, "ann", ""), models.CodeSecondFactor)
			n.run(t, "UPDATE totps SET last_step = 0")
			must(t, n.signInWith(t, "ann", a.code(t, n, 0)))
		}
		began := time.Now()
		n.throttle.now = func() time.Time { return began } // none of them drains
		wrong := a.code(t, n, 9)
		tries := failures(t, 20, func(int) error {
			if err := n.signInWith(t, "ann", wrong); codeOf(err) != models.CodeUnauthenticated {
				return err
			}
			return nil
		})
		if tries != 10 {
			t.Errorf("%d tries from one address", tries)
		}
		elsewhere := Client{IP: "192.0.2.77"}
		_, _, err := n.sessions.Login(t.Context(), Credentials{"ann", password, codes[0]}, elsewhere, nil)
		refused(t, "a right code from elsewhere, after ten wrong ones", err, models.CodeRateLimited)
		if left := n.number(t, "SELECT count(*) FROM recovery_codes"); left != 10 {
			t.Errorf("%d recovery codes are left", left)
		}
		n.throttle.now = func() time.Time { return began.Add(50 * time.Second) } // a password might be tried again
		_, _, err = n.sessions.Login(t.Context(), Credentials{"ann", password, codes[0]}, elsewhere, nil)
		refused(t, "a code so soon", err, models.CodeRateLimited)
		n.throttle.now = func() time.Time { return began.Add(time.Minute) }
		_, _, err = n.sessions.Login(t.Context(), Credentials{"ann", password, codes[0]}, elsewhere, nil)
		must(t, err)
		// Without the password nobody uses up the person's tries.
		for i := range 15 {
			_, _, err := n.sessions.Login(t.Context(), Credentials{"ann", "wrong horse", wrong}, Client{IP: "203.0.113." + string(rune('0'+i%10))}, nil)
			refused(t, "a stranger", err, models.CodeUnauthenticated)
		}
		_, _, err = n.sessions.Login(t.Context(), Credentials{"ann", password, codes[1]}, elsewhere, nil)
		must(t, err)
		if n.number(t, "SELECT count(*) FROM audit WHERE action = 'sign_in.failed' AND username = 'ann' AND detail LIKE '%right%'") != 10 {
			t.Error("wrong codes after the right password are not on record as such")
		}
	})
}

// TestPurgeLeavesTheAppInUse, beside which another was begun and never confirmed: without it the password would be enough.
func TestPurgeLeavesTheAppInUse(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		n.person(t, "ann")
		a, _ := n.enroll(t, "ann")
		l, _, err := n.sessions.Login(t.Context(), Credentials{"ann", password, a.code(t, n, 0)}, Client{}, nil)
		must(t, err)
		got(n.factors.BeginTOTP(t.Context(), &l.User))(t)
		n.run(t, "UPDATE totps SET last_step = 0, pending_at = pending_at - ?", totpPending.Milliseconds())
		must(t, n.house.purge(t.Context()))
		refused(t, "no code", n.signInWith(t, "ann", ""), models.CodeSecondFactor)
		must(t, n.signInWith(t, "ann", a.code(t, n, 0)))
	})
}

// TestCodeOfAnAppThatWasReplaced: who has shown a code of the old one, and is let in after the new one was confirmed, is refused.
func TestCodeOfAnAppThatWasReplaced(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		ann := n.person(t, "ann")
		a, _ := n.enroll(t, "ann")
		old := got(n.factors.authenticator(t.Context(), ann.ID))(t)
		shown := got(n.factors.byTOTP(old, a.code(t, n, 0)))(t)
		spend := func() error { return n.db.Write.WithContext(t.Context()).Transaction(shown.spend) }
		l, _, err := n.sessions.Login(t.Context(), Credentials{"ann", password, a.code(t, n, 1)}, Client{}, nil)
		must(t, err)
		next := got(n.factors.BeginTOTP(t.Context(), &l.User))(t)
		got(n.factors.ConfirmTOTP(t.Context(), l, app{next.Secret}.code(t, n, 0)))(t)
		n.run(t, "UPDATE totps SET last_step = 0") // so that the step alone would not stand in its way
		refused(t, "the old app's", spend(), models.CodeUnauthenticated)
	})
}
