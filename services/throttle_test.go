package services

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"belfry/models"
)

// clocked is a throttle of 10 a minute whose clock the test moves.
func clocked() (*Throttle, *time.Time) {
	now := time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC)
	return NewThrottle(models.Rate{Count: 10, Per: time.Minute}, func() time.Time { return now }), &now
}

// failures counts how many attempts are let through.
func failures(t *testing.T, limit int, attempt func(i int) error) (n int) {
	t.Helper()
	for n < limit {
		if err := attempt(n); err != nil {
			e := refused(t, "over the limit", err, models.CodeRateLimited)
			if e.RetryAfter <= 0 {
				t.Errorf("retry after %v", e.RetryAfter)
			}
			return n
		}
		n++
	}
	return n
}

// Security: S29
func TestThrottlePerAccountAndAddress(t *testing.T) {
	t.Parallel()
	th, now := clocked()
	login := func(account, address string) func(int) error {
		return func(int) error { _, err := th.login(account, address); return err }
	}
	if n := failures(t, 50, login("ann", "192.0.2.1")); n != 10 {
		t.Errorf("%d failures of one account from one address", n)
	}
	if n := failures(t, 50, login("ann", "192.0.2.2")); n != 10 {
		t.Errorf("%d from another address: who guesses must not shut out the owner", n)
	}
	if n := failures(t, 50, login("bob", "192.0.2.1")); n != 10 {
		t.Errorf("%d of another account from the same address", n)
	}
	// A tenth of a minute drains one.
	_, err := th.login("ann", "192.0.2.1")
	if e := refused(t, "full", err, models.CodeRateLimited); e.RetryAfter > 6*time.Second || e.RetryAfter < 5*time.Second {
		t.Errorf("retry after %v, want 6 s", e.RetryAfter)
	}
	*now = now.Add(6*time.Second + time.Millisecond)
	if n := failures(t, 50, login("ann", "192.0.2.1")); n != 1 {
		t.Errorf("%d after 6 s", n)
	}
	*now = now.Add(time.Hour)
	if n := failures(t, 50, login("ann", "192.0.2.1")); n != 10 {
		t.Errorf("%d after an hour", n)
	}
}

// Security: S29
func TestThrottlePerAddress(t *testing.T) {
	t.Parallel()
	th, _ := clocked()
	spread := func(i int) error { _, err := th.login(fmt.Sprint("user", i), "192.0.2.1"); return err }
	if n := failures(t, 500, spread); n != 200 {
		t.Errorf("%d failures from one address, want 20 times 10", n)
	}
	if _, err := th.login("user1", "192.0.2.2"); err != nil {
		t.Errorf("another address: %v", err)
	}
	if n := failures(t, 50, func(int) error { _, err := th.proof("session"); return err }); n != 10 {
		t.Errorf("%d proofs of one session", n)
	}
	if _, err := th.proof("another session"); err != nil {
		t.Errorf("another session: %v", err)
	}
}

// TestThrottlePerNetwork: who has one address of IPv6 has all of its /64, and is no new one with each of them.
//
// Security: S29
func TestThrottlePerNetwork(t *testing.T) {
	t.Parallel()
	th, _ := clocked()
	account := func(i int) error { _, err := th.login("ann", fmt.Sprintf("2001:db8:1:2::%x", i+1)); return err }
	if n := failures(t, 50, account); n != 10 {
		t.Errorf("%d failures of one account from one network", n)
	}
	for name, attempt := range map[string]func(address string) error{
		"addresses":     func(address string) error { _, err := th.address(address); return err },
		"logout tokens": func(address string) error { _, err := th.logout(address); return err },
		"ceremonies":    th.ceremony,
	} {
		if n := failures(t, 500, func(i int) error { return attempt(fmt.Sprintf("2001:db8:3:4:%x::1", i)) }); n != 200 {
			t.Errorf("%s: %d from one network, want 20 times 10", name, n)
		}
		if err := attempt("2001:db8:3:5::1"); err != nil {
			t.Errorf("%s: the network beside it: %v", name, err)
		}
		// As some proxies write addresses of IPv4: each is the one it is without that.
		if n := failures(t, 500, func(i int) error { return attempt([]string{"::ffff:192.0.2.1", "192.0.2.1", "::FFFF:c000:201"}[i%3]) }); n != 200 {
			t.Errorf("%s: %d from one address written in three ways, want 20 times 10", name, n)
		}
		if err := attempt("::ffff:192.0.2.2"); err != nil {
			t.Errorf("%s: the address beside it: %v", name, err)
		}
	}
}

func TestThrottleForgives(t *testing.T) {
	t.Parallel()
	th, _ := clocked()
	for range 1000 {
		a, err := th.login("ann", "192.0.2.1")
		if err != nil {
			t.Fatal(err)
		}
		a.forgive()
	}
	// Refusals do not count again, or the account would stay shut as long as somebody knocks.
	login := func(int) error { _, err := th.login("ann", "192.0.2.1"); return err }
	if n := failures(t, 50, login); n != 10 {
		t.Errorf("%d failures after successes", n)
	}
	for range 100 {
		_ = login(0)
	}
	if b := th.buckets["address 192.0.2.1"]; b.level != 10 {
		t.Errorf("the address holds %v failures", b.level)
	}
}

// TestThrottleCountsWhatIsUnderWay: a hundred guesses at once are not all let through.
func TestThrottleCountsWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	th, _ := clocked()
	var through atomic.Int32
	atOnce(100, func(int) {
		if _, err := th.login("ann", "192.0.2.1"); err == nil {
			through.Add(1)
		}
	})
	if through.Load() != 10 {
		t.Errorf("%d of 100 at once", through.Load())
	}
}

func TestThrottleForgetsWhatHasDrained(t *testing.T) {
	t.Parallel()
	th, now := clocked()
	for i := range throttleEntries / 2 {
		if _, err := th.login("ann", fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	*now = now.Add(2 * time.Minute)
	for i := range 10 {
		if _, err := th.login("bob", fmt.Sprint("new", i)); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(th.buckets); n > 100 {
		t.Errorf("%d buckets are kept", n)
	}
}

// Security: S29
func TestLoginsAreThrottled(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		n.person(t, "ann")
		from := Client{IP: "192.0.2.1"}
		tries := failures(t, 20, func(i int) error {
			name := []string{"ann", "ANN"}[i%2] // a name counts as one, however it is written
			_, _, err := n.sessions.Login(t.Context(), Credentials{Username: name, Password: "wrong horse"}, from, nil)
			if codeOf(err) == models.CodeUnauthenticated {
				return nil
			}
			return err
		})
		if tries != 10 {
			t.Errorf("%d tries", tries)
		}
		_, _, err := n.sessions.Login(t.Context(), Credentials{Username: "ann", Password: password}, from, nil)
		refused(t, "the right password after too many", err, models.CodeRateLimited)
		for range 30 {
			_, _, err := n.sessions.Login(t.Context(), Credentials{Username: "ann", Password: password}, Client{IP: "192.0.2.2"}, nil)
			must(t, err) // successes cost nothing
		}
	})
}

// TestProofsOfASessionAreThrottled: whoever has got hold of an open session cannot try out passwords, in whichever way they are
// asked for, nor the codes of an app that is being added.
func TestProofsOfASessionAreThrottled(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		n.person(t, "ann")
		l, _ := n.signIn(t, "ann")
		begun := got(n.factors.BeginTOTP(t.Context(), &l.User))(t)
		wrong := app{begun.Secret}.code(t, n, 9)
		began := time.Now()
		n.throttle.now = func() time.Time { return began } // none of them drains
		for name, try := range map[string]func() error{
			"proof": func() error { return n.sessions.Reauthenticate(t.Context(), l, "wrong horse") },
			"new password": func() error {
				_, err := n.sessions.ChangePassword(t.Context(), l, "wrong horse", "battery staple")
				return err
			},
			"app": func() error { _, err := n.factors.ConfirmTOTP(t.Context(), l, wrong); return err },
		} {
			n.throttle.buckets = map[string]bucket{}
			tries := failures(t, 20, func(int) error {
				if err := try(); codeOf(err) != models.CodeUnauthenticated && codeOf(err) != models.CodeInvalid {
					return err
				}
				return nil
			})
			if tries != 10 {
				t.Errorf("%s: %d tries, want 10", name, tries)
			}
		}
	})
}
