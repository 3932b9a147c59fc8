package services

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"belfry/models"
)

// acts gives the record, oldest first, each as "actor action user key".
func (n *node) acts(t *testing.T, f AuditFilter) (lines []string, records []models.AuditRecord) {
	t.Helper()
	records = got(NewAudit(n.db).Page(t.Context(), f, 1000))(t)
	slices.Reverse(records)
	for _, r := range records {
		lines = append(lines, strings.Join(strings.Fields(fmt.Sprintf("%s:%s %s %s %s", r.ActorType, r.ActorName, r.Action, r.Username, r.KeyName)), " "))
	}
	return lines, records
}

// TestAudit: row 36. Each change of a session, a person and a key is recorded with who did it, under hashed ids.
//
// Security: S36
func TestAudit(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		n.person(t, "anna")
		n.run(t, "DELETE FROM audit")
		desk := Client{IP: "192.0.2.7", UserAgent: "desk"}
		nobody := WithActor(t.Context(), Actor{Type: ActorNobody, Client: desk})
		if _, _, err := n.sessions.Login(nobody, Credentials{Username: "anna", Password: "wrong"}, desk, nil); err == nil {
			t.Fatal("a wrong password signs in")
		}
		live, cookie, err := n.sessions.Login(nobody, Credentials{Username: "anna", Password: password}, desk, nil)
		must(t, err)
		anna := WithActor(t.Context(), (&Principal{Live: live}).By(desk))
		live = got(n.sessions.Lock(anna, live, live.ID))(t)
		_, _, err = n.sessions.Unlock(anna, live, "wrong")
		refused(t, "a wrong unlock", err, models.CodeUnauthenticated)
		live, cookie2, err := n.sessions.Unlock(anna, live, password)
		must(t, err)
		must(t, n.sessions.Reauthenticate(anna, live, password))
		admin := WithActor(t.Context(), Actor{Type: ActorKey, Name: "portal"})
		got(n.sessions.LockUser(admin, "anna"))(t)
		key, secret, err := n.keys.Create(admin, KeySpec{Name: "host", Scopes: []models.Scope{models.ScopeNoticesWrite}})
		must(t, err)
		must(t, n.keys.Revoke(admin, key.ID))
		must(t, n.users.Disable(admin, "anna"))
		must(t, n.users.Delete(admin, "anna"))

		lines, records := n.acts(t, AuditFilter{})
		want := []string{
			"nobody: sign_in.failed anna", "user:anna session.started anna", "user:anna session.locked anna", "user:anna unlock.failed anna",
			"user:anna session.unlocked anna", "user:anna session.reauthenticated anna", "key:portal session.locked anna", "key:portal key.created host",
			"key:portal key.revoked host", "key:portal user.disabled anna", "key:portal session.ended anna", "key:portal user.deleted anna",
		}
		if !slices.Equal(lines, want) {
			t.Errorf("recorded\n%s\nwant\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
		}
		all := fmt.Sprint(records)
		for name, canary := range map[string]string{"the session's id": live.ID, "its cookie": cookie, "its next cookie": cookie2, "the key": secret, "the password": password} {
			if strings.Contains(all, canary) {
				t.Errorf("%s is in the record: %s", name, all)
			}
		}
		for _, r := range records[1:7] {
			if r.Session != hashedID(live.ID) || r.At == 0 {
				t.Errorf("of which session, and when: %+v", r)
			}
		}
		if r := records[1]; r.IP != desk.IP || r.UserAgent != desk.UserAgent || !strings.Contains(r.Detail, `"how":"password"`) {
			t.Errorf("from where, and how: %+v", r)
		}
		if r := records[10]; !strings.Contains(r.Detail, `"reason":"disabled"`) {
			t.Errorf("why: %+v", r)
		}
	})
}

// TestAuditOfTheClock: nobody did it, whoever happened to ask.
func TestAuditOfTheClock(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		n.person(t, "anna")
		live, _ := n.signIn(t, "anna")
		n.run(t, "UPDATE sessions SET last_active_at = last_active_at - ?", testLimits.Idle.Milliseconds())
		ctx := WithActor(t.Context(), (&Principal{Live: live}).By(Client{IP: "192.0.2.7"}))
		got(n.sessions.List(ctx, live.UserID))(t)
		lines, records := n.acts(t, AuditFilter{Action: "session.locked"})
		if !slices.Equal(lines, []string{"system: session.locked anna"}) || records[0].IP != "" || !strings.Contains(records[0].Detail, `"reason":"idle"`) {
			t.Errorf("recorded %v %+v", lines, records)
		}
	})
}

// TestAuditIsOneWithTheChange: what is rolled back was not done, and what cannot be recorded is not done.
//
// Security: S36
func TestAuditIsOneWithTheChange(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		n.person(t, "anna")
		live, _ := n.signIn(t, "anna")
		n.run(t, "ALTER TABLE audit RENAME TO audit_away")
		if _, err := n.sessions.Lock(t.Context(), live, live.ID); err == nil {
			t.Error("a lock that could not be recorded")
		}
		if _, _, err := n.keys.Create(t.Context(), KeySpec{Name: "host", Scopes: []models.Scope{models.ScopeNoticesWrite}}); err == nil {
			t.Error("a key that could not be recorded")
		}
		if _, _, err := n.sessions.Login(t.Context(), Credentials{Username: "anna", Password: "wrong"}, Client{}, nil); models.CodeOf(err) == models.CodeUnauthenticated {
			t.Error("a failure that could not be recorded was answered as one")
		}
		n.run(t, "ALTER TABLE audit_away RENAME TO audit")
		if now := got(n.sessions.read(t.Context(), live.ID))(t); now.State != models.SessionActive {
			t.Errorf("the session is %s", now.State)
		}
		if keys := got(n.keys.List(t.Context()))(t); len(keys) != 0 {
			t.Errorf("keys %v", keys)
		}
		n.run(t, "DELETE FROM audit")
		if err := n.groups.Join(t.Context(), "none", "anna"); err == nil {
			t.Error("joined a group that is not there")
		}
		if lines, _ := n.acts(t, AuditFilter{}); len(lines) > 0 {
			t.Errorf("recorded %v", lines)
		}
	})
}

// TestRehash: V6 of the password's cost: a sign-in raises an old hash to the present parameters.
func TestRehash(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		n.person(t, "anna")
		n.sessions.hasher = NewHasher(HashCost{Memory: 16, Passes: 2, Lanes: 1})
		hash := func() (h string) {
			must(t, n.db.Read.Raw("SELECT password_hash FROM users").Scan(&h).Error)
			return h
		}
		before := hash()
		if _, _, err := n.sessions.Login(t.Context(), Credentials{Username: "anna", Password: "wrong"}, Client{}, nil); err == nil || hash() != before {
			t.Fatalf("after a wrong password: %v, %s", err, hash())
		}
		live, _ := n.signIn(t, "anna")
		after := hash()
		if !strings.Contains(after, "m=16,t=2,p=1") {
			t.Errorf("the hash is %s", after)
		}
		if n.signIn(t, "anna"); hash() != after {
			t.Error("a present hash was made anew")
		}
		// The session that began under the old one can still be unlocked.
		live = got(n.sessions.Lock(t.Context(), live, live.ID))(t)
		if _, _, err := n.sessions.Unlock(t.Context(), live, password); err != nil {
			t.Error(err)
		}
	})
}
