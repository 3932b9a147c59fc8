package services

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"belfry/internal/testpg"
	"belfry/models"
)

// under is one more node over the same database, with these settings of SECRET and SECRET_PREVIOUS.
func (n *node) under(t *testing.T, secret []byte, previous ...[]byte) *Sessions {
	t.Helper()
	ring := got(NewKeyring(t.Context(), n.db, secret, previous...))(t)
	factors := NewFactors(n.db, NewVault(ring), n.throttle, "belfry.example")
	return NewSessions(n.db, n.journal, testHasher(), NewTokens(ring, testLimits.Max, time.Minute), n.throttle, factors, testLimits, slog.New(slog.DiscardHandler))
}

// shown is what a browser holds.
type shown struct{ what, cookie, ticket string }

func (n *node) begin(t *testing.T, what string, s *Sessions) shown {
	t.Helper()
	l, cookie, err := s.Login(t.Context(), Credentials{Username: "anna", Password: password}, Client{}, nil)
	must(t, err)
	return shown{what, cookie, got(s.Ticket(l))(t).Token}
}

// takes holds a node to taking what another signed.
func takes(t *testing.T, what string, s *Sessions, given ...shown) {
	t.Helper()
	for _, g := range given {
		l, err := s.Resolve(t.Context(), g.cookie)
		if err != nil || l.Verdict.State != models.SessionActive {
			t.Errorf("%s refuses the cookie of %s: %v", what, g.what, err)
		}
		if _, ok := s.tokens.ParseTicket(g.ticket); !ok {
			t.Errorf("%s refuses the ticket of %s", what, g.what)
		}
	}
}

func refuses(t *testing.T, what string, s *Sessions, given ...shown) {
	t.Helper()
	for _, g := range given {
		_, err := s.Resolve(t.Context(), g.cookie)
		refused(t, what+" with the cookie of "+g.what, err, models.CodeUnauthenticated)
		if _, ok := s.tokens.ParseTicket(g.ticket); ok {
			t.Errorf("%s takes the ticket of %s", what, g.what)
		}
	}
}

func key(letter string) []byte { return bytes.Repeat([]byte(letter), MinSecret) }

// TestSecretIsRolledOver goes through the steps that docs/operate.md gives, with two nodes of which one is always a step behind,
// and nobody is signed out.
//
// Security: S21
func TestSecretIsRolledOver(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		n.person(t, "anna")
		w := NewWebhooks(n.db, n.journal, NewVault(got(NewKeyring(t.Context(), n.db, nil))(t)), slog.New(slog.DiscardHandler))
		hook := got(w.Create(t.Context(), "http://a.example", nil, Repeatable{}))(t)
		type step struct {
			name     string
			secret   []byte
			previous [][]byte
		}
		steps := []step{
			{"kept in the database", nil, nil},
			{"a first SECRET is announced", nil, [][]byte{key("a")}},
			{"the first SECRET", key("a"), nil},
			{"the next is announced", key("a"), [][]byte{key("b")}},
			{"the next signs", key("b"), [][]byte{key("a")}},
			{"the old one is let go", key("b"), nil},
		}
		var before *Sessions
		var earlier shown
		for i, st := range steps {
			now := n.under(t, st.secret, st.previous...)
			own := n.begin(t, st.name, now)
			takes(t, st.name, now, own)
			if before != nil {
				takes(t, "the node behind "+st.name, before, own)
				if i < len(steps)-1 { // at the last, its cookies have run out
					takes(t, st.name, now, earlier)
				}
				// Until the slower node is restarted both have to open what either seals.
				for _, s := range []*Sessions{before, now} {
					vault := NewVault(s.tokens.ring)
					must(t, vault.Reseal(t.Context(), n.db, slog.New(slog.DiscardHandler)))
					stored := n.webhook(t, hook.ID).Secret
					for _, other := range []*Sessions{before, now} {
						if plain, err := NewVault(other.tokens.ring).Open(webhookPurpose(hook.URL), stored); err != nil || string(plain) != hook.Secret {
							t.Errorf("%s: what is sealed at one node cannot be opened at the other: %v", st.name, err)
						}
					}
				}
			}
			before, earlier = now, own
		}
		stored, kid := n.webhook(t, hook.ID).Secret, keyName(key("b"))
		if !strings.HasPrefix(stored, "sealed."+kid+".") {
			t.Errorf("in the end it is stored as %q", stored[:16])
		}
		refuses(t, "a stranger", n.under(t, key("x")), earlier)
	})
}

// TestStoredKeyIsReplaced: of two nodes that run on, one learns of the new key by itself and the other by what it is shown.
//
// Security: S21
func TestStoredKeyIsReplaced(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		n.person(t, "anna")
		slow, quick := n.under(t, nil), n.under(t, nil)
		old := n.begin(t, "the old key", slow)
		must(t, n.db.ReplaceSigningKey(t.Context()))
		must(t, quick.tokens.ring.refresh(t.Context(), testLimits.Max))
		fresh := n.begin(t, "the new key", quick)
		if slow.tokens.ring.signing().kid == quick.tokens.ring.signing().kid {
			t.Fatal("both sign with one key: this proves nothing")
		}
		takes(t, "the node that was told", quick, old, fresh)
		takes(t, "the node that was not", slow, fresh, old)
		if slow.tokens.ring.signing().kid != quick.tokens.ring.signing().kid {
			t.Error("who has learnt of a new key goes on signing with the old one")
		}
		takes(t, "a node that starts", n.under(t, nil), old, fresh)
		// Once no cookie can be signed with it any more, the old key goes.
		life := (testLimits.Max + cookieSlack).Milliseconds()
		n.run(t, "UPDATE secrets SET retired_at = retired_at - ? WHERE name <> 'signing_key'", life-60_000)
		must(t, quick.tokens.ring.refresh(t.Context(), testLimits.Max))
		takes(t, "a minute before", n.under(t, nil), old, fresh)
		n.run(t, "UPDATE secrets SET retired_at = retired_at - 60000 WHERE name <> 'signing_key'")
		must(t, quick.tokens.ring.refresh(t.Context(), testLimits.Max))
		if left := n.number(t, "SELECT count(*) FROM secrets"); left != 1 {
			t.Errorf("%d keys are stored", left)
		}
		late := n.under(t, nil)
		takes(t, "then", late, fresh)
		refuses(t, "then", late, old)
		if recorded := n.number(t, "SELECT count(*) FROM audit WHERE action = 'signing_key.replaced'"); recorded != 1 {
			t.Errorf("recorded %d times", recorded)
		}
	})
}

// TestStoredKeyUnderASecret: the key of before goes on verifying, is removed in time, and cannot be replaced meanwhile.
func TestStoredKeyUnderASecret(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		n.person(t, "anna")
		old := n.begin(t, "the stored key", n.under(t, nil))
		given := n.under(t, key("a"))
		takes(t, "under a SECRET", given, old)
		refused(t, "a new stored key", n.db.ReplaceSigningKey(t.Context()), models.CodeConflict)
		takes(t, "without it again", n.under(t, nil, key("a")), old, n.begin(t, "the SECRET", given))
		n.under(t, key("a"))
		n.run(t, "UPDATE secrets SET retired_at = retired_at - ?", (testLimits.Max + cookieSlack).Milliseconds())
		must(t, given.tokens.ring.refresh(t.Context(), testLimits.Max))
		if left := n.number(t, "SELECT count(*) FROM secrets"); left != 0 {
			t.Errorf("%d keys are stored", left)
		}
		refuses(t, "then", n.under(t, key("a")), old)
	})
}

// TestUnknownKeys: names that nobody's key has cost the database one look a second at most, and known ones no wait.
func TestUnknownKeys(t *testing.T) {
	t.Parallel()
	n := newNode(t, testpg.Database(t))
	ring := n.tokens.ring
	kid := ring.signing().kid
	began := time.Now()
	atOnce(4*learnWaiting, func(i int) {
		if _, known := ring.named(fmt.Sprintf("%08x", i)); known {
			t.Errorf("%08x is a key", i)
		}
	})
	if passed := time.Since(began); passed > patience/2 {
		t.Errorf("it took %v", passed)
	}
	ring.mu.Lock()
	looked, remembered, waiting := ring.looked, len(ring.unknown), ring.waiting
	ring.mu.Unlock()
	if remembered == 0 || remembered > 2*learnWaiting || waiting != 0 {
		t.Errorf("%d names are remembered, %d wait", remembered, waiting)
	}
	for range 1000 {
		for _, name := range []any{"0", 1, nil, "zz", strings.Repeat("0", 64)} { // no look at all
			if _, known := ring.named(name); known {
				t.Errorf("%v is a key", name)
			}
		}
		if _, known := ring.named(kid); !known {
			t.Error("the own key is not known")
		}
	}
	ring.mu.Lock()
	defer ring.mu.Unlock()
	if !ring.looked.Equal(looked) {
		t.Errorf("looked again after %v", ring.looked.Sub(looked))
	}
}

// TestAllThatIsSealedIsSealedAnew: whatever table it is in, and for the same purpose.
func TestAllThatIsSealedIsSealedAnew(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		quiet := slog.New(slog.DiscardHandler)
		anna, bob := n.person(t, "anna"), n.person(t, "bob")
		old := NewVault(got(NewKeyring(t.Context(), n.db, key("a")))(t))
		hook := got(NewWebhooks(n.db, n.journal, old, quiet).Create(t.Context(), "http://a.example/'x", nil, Repeatable{}))(t)
		n.run(t, "INSERT INTO vapid_keys (id, public_key, private_key, created_at) VALUES (1, '', ?, 0)", old.Seal(vapidPurpose, []byte("of vapid")))
		n.run(t, "INSERT INTO totps (user_id, secret) VALUES (?, ?)", anna.ID, old.Seal(totpPurpose(anna.ID), []byte("of anna")))
		n.run(t, "INSERT INTO totps (user_id, pending) VALUES (?, ?)", bob.ID, NewVault(n.tokens.ring).Seal(totpPurpose(bob.ID), []byte("of bob")))
		lost := NewVault(got(NewKeyring(t.Context(), nil, key("x")))(t))
		n.run(t, "INSERT INTO webhooks (url, events, secret, created_at) VALUES ('http://b.example', '', ?, 0)", lost.Seal(webhookPurpose("http://b.example"), []byte("lost")))

		ring := got(NewKeyring(t.Context(), n.db, key("b"), key("a")))(t)
		fresh := NewVault(ring)
		atOnce(3, func(int) { // nodes that start together
			if err := fresh.Reseal(t.Context(), n.db, quiet); err != nil {
				t.Error(err)
			}
		})
		alone := NewVault(got(NewKeyring(t.Context(), nil, key("b")))(t))
		read := func(query, purpose string) string {
			t.Helper()
			var stored string
			must(t, n.db.Write.Raw(query).Scan(&stored).Error)
			return string(got(alone.Open(purpose, stored))(t))
		}
		for what, opened := range map[string]string{
			hook.Secret: read("SELECT secret FROM webhooks WHERE url = '"+strings.ReplaceAll(hook.URL, "'", "''")+"'", webhookPurpose(hook.URL)),
			"of anna":   read("SELECT secret FROM totps WHERE secret IS NOT NULL", totpPurpose(anna.ID)),
			"of vapid":  read("SELECT private_key FROM vapid_keys", vapidPurpose),
			"of bob":    read("SELECT pending FROM totps WHERE pending IS NOT NULL", totpPurpose(bob.ID)),
		} {
			if opened != what {
				t.Errorf("%q is now %q", what, opened)
			}
		}
		if left := n.number(t, "SELECT count(*) FROM webhooks WHERE secret LIKE 'sealed."+keyName(key("x"))+".%'"); left != 1 {
			t.Error("what could not be opened was not left as it was")
		}
		// Every call of Seal has its column in the list.
		var columns []string
		for _, of := range sealed {
			columns = append(columns, of.table+"."+of.column)
		}
		if calls := sealCalls(t); len(calls) != 4 || len(columns) != 5 {
			t.Errorf("secrets are sealed in %v and sealed anew in %v: is one missing?", calls, columns)
		}
	})
}

// sealCalls are the files of this package that seal something.
func sealCalls(t *testing.T) (files []string) {
	t.Helper()
	for _, name := range got(filepath.Glob("*.go"))(t) {
		source := string(got(os.ReadFile(name))(t))
		if !strings.HasSuffix(name, "_test.go") && name != "vault.go" && strings.Contains(source, "ault.Seal(") {
			files = append(files, name)
		}
	}
	return files
}
