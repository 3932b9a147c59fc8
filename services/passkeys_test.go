package services

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/descope/virtualwebauthn"

	"belfry/models"
)

// homepage is where the passkeys of the tests belong.
var homepage = &url.URL{Scheme: "https", Host: "belfry.example"}

var anywhere = Client{IP: "192.0.2.1", UserAgent: "test"}

// device holds one passkey, as a phone would.
type device struct {
	virtualwebauthn.Authenticator
	party virtualwebauthn.RelyingParty
	key   virtualwebauthn.Credential
}

func newDevice() *device {
	d := &device{Authenticator: virtualwebauthn.NewAuthenticator(), party: virtualwebauthn.RelyingParty{ID: homepage.Host, Name: "Belfry", Origin: homepage.String()}}
	// The library writes a coordinate without its leading zeros, which is no valid key: one of 128.
	const length = 77
	for d.key = virtualwebauthn.NewCredential(virtualwebauthn.KeyTypeEC2); len(d.key.Key.AttestationData()) != length; {
		d.key = virtualwebauthn.NewCredential(virtualwebauthn.KeyTypeEC2)
	}
	return d
}

// make answers a question for a new passkey, and remembers whose it is.
func (d *device) make(t testing.TB, b Begun, name string) NewPasskey {
	t.Helper()
	options := got(virtualwebauthn.ParseAttestationOptions(asJSON(t, b.Options)))(t)
	d.Options.UserHandle = []byte(options.UserID)
	return NewPasskey{Ceremony: b.Ceremony, Name: name, Credential: json.RawMessage(virtualwebauthn.CreateAttestationResponse(d.party, d.Authenticator, d.key, *options))}
}

// sign answers a question for a passkey. The device counts.
func (d *device) sign(t testing.TB, b Begun) Answer {
	t.Helper()
	d.key.Counter++
	return d.signAgain(t, b)
}

func (d *device) signAgain(t testing.TB, b Begun) Answer {
	t.Helper()
	options := got(virtualwebauthn.ParseAssertionOptions(asJSON(t, b.Options)))(t)
	return Answer{Ceremony: b.Ceremony, Credential: json.RawMessage(virtualwebauthn.CreateAssertionResponse(d.party, d.Authenticator, d.key, *options))}
}

func asJSON(t testing.TB, v any) string {
	t.Helper()
	return string(got(json.Marshal(v))(t))
}

// enrol gives a session's person a passkey on a new device.
func (n *node) enrol(t testing.TB, l *Live) *device {
	t.Helper()
	d := newDevice()
	_, _, err := n.passkeys.Add(t.Context(), l, d.make(t, got(n.passkeys.BeginAdd(t.Context(), l))(t), "phone"), Repeatable{})
	must(t, err)
	return d
}

// lock locks a session and gives it as a request finds it then.
func (n *node) lock(t testing.TB, l *Live) *Live {
	t.Helper()
	return got(n.sessions.Lock(t.Context(), l, l.ID))(t)
}

// actions are what is on record, oldest first, of the actions that begin with one of these.
func (n *node) actions(t *testing.T, families ...string) (actions []string) {
	t.Helper()
	_, records := n.acts(t, AuditFilter{})
	for _, r := range records {
		if slices.ContainsFunc(families, func(family string) bool { return strings.HasPrefix(r.Action, family) }) {
			actions = append(actions, r.Action)
		}
	}
	return actions
}

// TestPasskey goes once around: made, used to sign in, to unlock and to prove oneself, removed.
// Security: S2, S36
func TestPasskey(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		ctx := t.Context()
		n.person(t, "anna")
		first, _ := n.signIn(t, "anna")
		d := n.enrol(t, first)
		uses := func(want int64) {
			t.Helper()
			if noted := n.number(t, "SELECT sign_count FROM passkeys WHERE last_used_at > 0"); noted != want {
				t.Errorf("%d uses are noted, want %d", noted, want)
			}
		}

		l, cookie, err := n.passkeys.Login(ctx, d.sign(t, got(n.passkeys.BeginLogin(ctx, anywhere))(t)), anywhere, nil)
		must(t, err)
		if l.User.Username != "anna" || l.Verdict.State != models.SessionActive || l.IP != anywhere.IP || n.resolve(t, cookie).ID != l.ID {
			t.Errorf("signed in as %+v", l)
		}
		uses(1)
		locked := n.lock(t, l)
		if !got(n.passkeys.Has(ctx, l.UserID))(t) {
			t.Error("it is not said that there is a passkey to unlock with")
		}
		opened, second, err := n.passkeys.Unlock(ctx, locked, d.sign(t, got(n.passkeys.BeginUnlock(ctx, locked))(t)))
		must(t, err)
		uses(2)
		if opened.ID != l.ID || opened.Verdict.State != models.SessionActive || second == cookie || second == "" {
			t.Errorf("unlocked: %+v", opened)
		}
		if _, err := n.sessions.Resolve(ctx, cookie); models.CodeOf(err) != models.CodeUnauthenticated {
			t.Errorf("the old cookie after an unlock: %v", err)
		}
		n.run(t, "UPDATE sessions SET proved_at = proved_at - ?", models.ReauthenticationWindow.Milliseconds())
		opened = n.resolve(t, second)
		_, err = n.passkeys.BeginAdd(ctx, opened)
		refused(t, "adding without a fresh proof", err, models.CodeReauthentication)
		refused(t, "removing without a fresh proof", n.passkeys.Remove(ctx, opened, 1), models.CodeReauthentication)
		must(t, n.passkeys.Reauthenticate(ctx, opened, d.sign(t, got(n.passkeys.BeginReauthenticate(ctx, opened))(t))))
		uses(3)
		must(t, n.sessions.RequireProof(ctx, opened))

		list := got(n.passkeys.List(ctx, l.UserID))(t)
		if len(list) != 1 || list[0].Name != "phone" || list[0].LastUsedAt == nil {
			t.Fatalf("the list: %+v", list)
		}
		must(t, n.passkeys.Remove(ctx, opened, list[0].ID))
		refused(t, "removing twice", n.passkeys.Remove(ctx, opened, list[0].ID), models.CodeNotFound)
		want := []string{"passkey.added", "session.started", "session.unlocked", "session.reauthenticated", "passkey.removed"}
		if acts := n.actions(t, "passkey.", "session.started", "session.unlocked", "session.reauthenticated", "sign_in."); !slices.Equal(acts, append([]string{"session.started"}, want...)) {
			t.Errorf("on record: %v", acts)
		}
		if by := n.number(t, "SELECT count(*) FROM audit WHERE detail LIKE '%passkey%' AND action LIKE 'session.%'"); by != 3 {
			t.Errorf("%d of the records of sessions name the passkey, want 3", by)
		}
	})
}

// TestPasskeyDoesNotTellWhose: the handle is random, of the length the standard names, and stays the same.
func TestPasskeyDoesNotTellWhose(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		n.person(t, "anna")
		n.person(t, "bob")
		anna, _ := n.signIn(t, "anna")
		bob, _ := n.signIn(t, "bob")
		one, two, other := n.enrol(t, anna), n.enrol(t, anna), n.enrol(t, bob)
		if len(one.Options.UserHandle) != handleSize || string(one.Options.UserHandle) != string(two.Options.UserHandle) || string(one.Options.UserHandle) == string(other.Options.UserHandle) {
			t.Errorf("handles %x, %x and %x", one.Options.UserHandle, two.Options.UserHandle, other.Options.UserHandle)
		}
		options := asJSON(t, got(n.passkeys.BeginLogin(t.Context(), anywhere))(t).Options)
		if strings.Contains(options, "allowCredentials") || !strings.Contains(options, `"userVerification":"required"`) {
			t.Errorf("whoever asks is told %s", options)
		}
	})
}

// TestKnownPasskey: one device is one passkey of one person; more than the limit are refused.
func TestKnownPasskey(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		ctx := t.Context()
		n.throttle.rate.Count = 1000
		n.person(t, "anna")
		n.person(t, "bob")
		anna, _ := n.signIn(t, "anna")
		bob, _ := n.signIn(t, "bob")
		d := n.enrol(t, anna)
		if options := asJSON(t, got(n.passkeys.BeginAdd(ctx, anna))(t).Options); !strings.Contains(options, "excludeCredentials") {
			t.Errorf("the device is not told that it has one: %s", options)
		}
		for _, l := range []*Live{anna, bob} {
			_, _, err := n.passkeys.Add(ctx, l, d.make(t, got(n.passkeys.BeginAdd(ctx, l))(t), "again"), Repeatable{})
			refused(t, "the same device again, for "+l.User.Username, err, models.CodeConflict)
		}
		once := Repeatable{Principal: "user:1", Key: "k", Digest: "d"}
		made := newDevice().make(t, got(n.passkeys.BeginAdd(ctx, anna))(t), "tablet")
		first, replayed, err := n.passkeys.Add(ctx, anna, made, once)
		must(t, err)
		again, replayedToo, err := n.passkeys.Add(ctx, anna, made, once)
		must(t, err)
		if first.ID != again.ID || replayed || !replayedToo {
			t.Errorf("the same request gave %d and %d", first.ID, again.ID)
		}
		for range models.MaxPasskeys - 2 {
			n.enrol(t, anna)
		}
		_, _, err = n.passkeys.Add(ctx, anna, newDevice().make(t, got(n.passkeys.BeginAdd(ctx, anna))(t), "one too many"), Repeatable{})
		refused(t, "one too many", err, models.CodeConflict)
		n.enrol(t, bob)
	})
}

// TestPasskeysOff: an address is no home for a passkey, nor is a name without a domain.
func TestPasskeysOff(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		ctx := t.Context()
		n.person(t, "anna")
		anna, _ := n.signIn(t, "anna")
		d := n.enrol(t, anna)
		for _, host := range []string{"192.0.2.1:8080", "[2001:db8::1]:8080", "bell:8080"} {
			off := NewPasskeys(n.db, n.sessions, &url.URL{Scheme: "http", Host: host}, n.sessions.log)
			if off.On() || got(off.Has(ctx, anna.UserID))(t) {
				t.Errorf("%s is a home for passkeys", host)
			}
			answer := d.sign(t, got(n.passkeys.BeginLogin(ctx, anywhere))(t))
			_, list := off.List(ctx, anna.UserID)
			_, add := off.BeginAdd(ctx, anna)
			_, _, added := off.Add(ctx, anna, NewPasskey{}, Repeatable{})
			_, begin := off.BeginLogin(ctx, anywhere)
			_, _, login := off.Login(ctx, answer, anywhere, nil)
			_, beginUnlock := off.BeginUnlock(ctx, anna)
			_, _, unlock := off.Unlock(ctx, anna, answer)
			_, beginProof := off.BeginReauthenticate(ctx, anna)
			for i, err := range []error{list, add, added, off.Remove(ctx, anna, 1), begin, login, beginUnlock, unlock, beginProof, off.Reauthenticate(ctx, anna, answer)} {
				refused(t, "the "+string(rune('a'+i))+"th of them", err, models.CodeNotFound)
			}
		}
		for _, host := range []string{"localhost:5173", "belfry.example"} {
			if !NewPasskeys(n.db, n.sessions, &url.URL{Scheme: "https", Host: host}, n.sessions.log).On() {
				t.Errorf("%s is no home for passkeys", host)
			}
		}
	})
}

// TestPasskeyThrottle: who begins without end, or guesses, is made to wait.
// Security: S29
func TestPasskeyThrottle(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		ctx := t.Context()
		n.throttle.rate.Count = 1
		var err error
		for range addressFactor {
			_, err = n.passkeys.BeginLogin(ctx, anywhere)
			must(t, err)
		}
		_, err = n.passkeys.BeginLogin(ctx, anywhere)
		refused(t, "one begun too many", err, models.CodeRateLimited)
		_, err = n.passkeys.BeginLogin(ctx, Client{IP: "192.0.2.2"})
		must(t, err)
	})
}
