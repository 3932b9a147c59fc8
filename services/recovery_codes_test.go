package services

import (
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"belfry/models"
)

// recorded holds the record to these, newest first: "action whom", of the actions that begin with prefix.
func (n *node) recorded(t testing.TB, prefix string, want ...string) {
	t.Helper()
	var have []string
	for _, r := range got(NewAudit(n.db).Page(t.Context(), AuditFilter{Action: prefix}, 100))(t) {
		have = append(have, r.Action+" "+r.Username)
	}
	if strings.Join(have, ", ") != strings.Join(want, ", ") {
		t.Errorf("on record: %q, want %q", have, want)
	}
}

// TestRecoveryCodes_63B: 24 characters of base32 in groups of four, 120 bits, hashed, once each.
func TestRecoveryCodes_63B(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		ann := n.person(t, "ann")
		_, err := n.factors.RenewRecoveryCodes(t.Context(), ann)
		refused(t, "no authenticator", err, models.CodeConflict)
		got(n.factors.BeginTOTP(t.Context(), ann))(t)
		_, err = n.factors.RenewRecoveryCodes(t.Context(), ann)
		refused(t, "one that is not confirmed", err, models.CodeConflict)
		_, codes := n.enroll(t, "ann")
		form, seen := regexp.MustCompile(`^[A-Z2-7]{4}(-[A-Z2-7]{4}){5}$`), map[string]bool{}
		for _, code := range codes {
			if !form.MatchString(code) || seen[code] {
				t.Errorf("code %q", code)
			}
			seen[code] = true
		}
		must(t, n.signInWith(t, "ann", codes[0]))
		refused(t, "the same once more", n.signInWith(t, "ann", codes[0]), models.CodeUnauthenticated)
		must(t, n.signInWith(t, "ann", strings.ToLower(strings.ReplaceAll(codes[1], "-", " "))))
		must(t, n.signInWith(t, "ann", strings.ReplaceAll(codes[2], "-", "")))
		refused(t, "one that never was", n.signInWith(t, "ann", "ABCD-ABCD-ABCD-ABCD-ABCD-ABCD"), models.CodeUnauthenticated)
		n.person(t, "bob")
		n.enroll(t, "bob")
		refused(t, "somebody else's", n.signInWith(t, "bob", codes[3]), models.CodeUnauthenticated)
		if view := got(n.factors.Of(t.Context(), ann))(t); view.RecoveryCodes != 7 {
			t.Errorf("%+v", view)
		}
		fresh := got(n.factors.RenewRecoveryCodes(t.Context(), ann))(t)
		refused(t, "an old one", n.signInWith(t, "ann", codes[3]), models.CodeUnauthenticated)
		must(t, n.signInWith(t, "ann", fresh[9]))
		left := []string{}
		for _, r := range got(NewAudit(n.db).Page(t.Context(), AuditFilter{Action: "recovery_code.used", User: "ann"}, 10))(t) {
			left = append(left, r.Detail)
		}
		if strings.Join(left, " ") != `{"left":9} {"left":7} {"left":8} {"left":9}` {
			t.Errorf("on record: %q", left)
		}
		n.recorded(t, "recovery_codes.", "recovery_codes.made ann", "recovery_codes.made bob", "recovery_codes.made ann")
	})
}

// TestOneRecoveryCodeIsUsedOnce shows one code many times at once: one lets in.
func TestOneRecoveryCodeIsUsedOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		n.person(t, "ann")
		_, codes := n.enroll(t, "ann")
		for round := range 6 {
			before := n.number(t, "SELECT count(*) FROM sessions")
			var in, out atomic.Int32
			atOnce(6, func(int) {
				switch err := n.signInWith(t, "ann", codes[round]); outcome(err) {
				case "":
					in.Add(1)
				case models.CodeUnauthenticated:
					out.Add(1)
				default:
					t.Error(err)
				}
			})
			if in.Load() != 1 || out.Load() != 5 || n.number(t, "SELECT count(*) FROM sessions") != before+1 {
				t.Fatalf("round %d: %d were let in, %d refused", round, in.Load(), out.Load())
			}
			n.throttle.buckets = map[string]bucket{}
		}
	})
}

// TestRenewalsAtOnce leave ten codes, and no orphans where the authenticator goes meanwhile.
func TestRenewalsAtOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		ann := n.person(t, "ann")
		n.enroll(t, "ann")
		atOnce(6, func(int) { got(n.factors.RenewRecoveryCodes(t.Context(), ann))(t) })
		if have := n.number(t, "SELECT count(*) FROM recovery_codes"); have != 10 {
			t.Errorf("%d codes after six renewals at once", have)
		}
		atOnce(6, func(i int) {
			if i == 0 {
				must(t, n.factors.DisableTOTP(t.Context(), ann))
			} else if _, err := n.factors.RenewRecoveryCodes(t.Context(), ann); err != nil {
				refused(t, "the authenticator is gone", err, models.CodeConflict)
			}
		})
		if have := n.number(t, "SELECT count(*) FROM recovery_codes"); have != 0 {
			t.Errorf("%d codes without an authenticator", have)
		}
	})
}

// TestRemoveFactors helps somebody who has lost them: the password alone signs in again, and what was open is closed.
//
// Security: S12
func TestRemoveFactors(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		n.person(t, "bob")
		ann := n.person(t, "ann")
		other, _ := n.signIn(t, "bob")
		l, cookie := n.signIn(t, "ann")
		_, codes := n.enroll(t, "ann")
		for _, name := range []string{"ann", "bob"} {
			n.run(t, "INSERT INTO passkeys (user_id, name, credential_id, public_key, flags, sign_count, created_at) SELECT id, 'key', ?, ?, 0, 0, 0 FROM users WHERE username = ?", []byte(name), []byte(name), name)
		}
		if view := got(n.factors.Of(t.Context(), ann))(t); view != (FactorsView{Password: true, TOTP: true, RecoveryCodes: 10, Passkeys: 1}) {
			t.Errorf("%+v", view)
		}
		refused(t, "nobody", n.sessions.RemoveFactors(t.Context(), "nobody"), models.CodeNotFound)
		must(t, n.sessions.RemoveFactors(t.Context(), "ANN"))
		stands(t, "what was open", n.resolve(t, cookie), models.SessionEnded, models.ReasonAdmin)
		told(t, n, l.ID, "ended admin")
		told(t, n, other.ID)
		must(t, n.signInWith(t, "ann", ""))
		if left := n.number(t, "SELECT (SELECT count(*) FROM totps) + (SELECT count(*) FROM recovery_codes) + (SELECT count(*) FROM passkeys)"); left != 1 {
			t.Errorf("%d rows are left, want bob's passkey", left)
		}
		n.enroll(t, "ann")
		refused(t, "a code of before", n.signInWith(t, "ann", codes[0]), models.CodeUnauthenticated)
		n.recorded(t, "factors.", "factors.removed ann")
	})
}
