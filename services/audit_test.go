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

// TestSameAgainIsNoAct: who is disabled, or let in, once more stays so since the first time, and the record says nothing of it.
//
// Security: S36
func TestSameAgainIsNoAct(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		n.person(t, "anna")
		must(t, n.users.Disable(t.Context(), "anna"))
		n.run(t, "UPDATE users SET disabled_at = 1")
		for _, step := range []struct {
			disabled bool
			since    models.Instant // 0 = not at all
			want     string
		}{{true, 1, "user.changed"}, {false, 0, "user.changed user.enabled"}, {false, 0, "user.changed"}} {
			n.run(t, "DELETE FROM audit")
			changed := got(n.users.Update(t.Context(), "anna", UserChange{DisplayName: new("Anna A."), Disabled: &step.disabled}))(t)
			if (changed.DisabledAt == nil) != (step.since == 0) || (step.since != 0 && *changed.DisabledAt != step.since) {
				t.Errorf("%+v: disabled at %v", step, changed.DisabledAt)
			}
			var acts []string
			_, records := n.acts(t, AuditFilter{})
			for _, r := range records {
				acts = append(acts, r.Action)
			}
			if strings.Join(acts, " ") != step.want {
				t.Errorf("%+v: recorded %v", step, acts)
			}
		}
	})
}

// TestAuditOfGroups: each change of a group and of who is in it is recorded, with the keys that follow it; what changed nothing
// is not.
//
// Security: S36
func TestAuditOfGroups(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		ctx := WithActor(t.Context(), Actor{Type: ActorKey, Name: "portal"})
		n.person(t, "anna")
		n.person(t, "bob")
		got(n.groups.Add(t.Context(), "team", ""))(t)
		n.keyTo(t, "alerts", Target{Groups: []string{"team"}, Users: []string{"bob"}})
		n.run(t, "DELETE FROM audit")
		head := n.number(t, "SELECT head FROM log_head")
		must(t, n.groups.Join(ctx, "team", "anna", "bob"))
		must(t, n.groups.Join(ctx, "team", "anna"))
		must(t, n.groups.Leave(ctx, "team", "bob"))
		must(t, n.groups.Leave(ctx, "team", "bob"))
		if told := n.number(t, "SELECT head FROM log_head") - head; told != 3 {
			t.Errorf("%d entries of three changes", told)
		}
		got(n.groups.Update(ctx, "team", GroupChange{Name: new("crew")}))(t)
		got(n.users.Settle(ctx, WantedUser{Username: "carl", Role: new(models.RoleAdmin), Groups: []string{"crew"}}, false))(t)
		got(n.users.Update(ctx, "bob", UserChange{Username: new("rob"), Role: new(models.RoleAdmin)}))(t)
		must(t, n.users.Delete(ctx, "rob"))
		n.keyTo(t, "others", Target{Groups: []string{"crew"}, Users: []string{"anna"}})
		must(t, n.groups.Remove(ctx, "crew"))

		lines, records := n.acts(t, AuditFilter{})
		lines = slices.DeleteFunc(lines, func(line string) bool { return strings.Contains(line, "key.created") })
		want := []string{
			"group.joined anna", "group.joined bob", "group.left bob", "group.changed", "key.changed alerts", "user.added carl", "group.joined carl",
			"user.changed rob", "key.changed alerts", "key.changed alerts", "user.deleted rob", "key.changed alerts", "key.changed others", "group.deleted",
		}
		for i := range want {
			want[i] = "key:portal " + want[i]
		}
		if !slices.Equal(lines, want) {
			t.Errorf("recorded\n%s\nwant\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
		}
		for action, detail := range map[string]string{"group.joined": `"group":"`, "group.changed": `"name":"crew"`, "user.added": `"role":"admin"`, "user.changed": `"was":"bob"`} {
			for _, r := range records {
				if r.Action == action && !strings.Contains(r.Detail, detail) {
					t.Errorf("%s: %s", action, r.Detail)
				}
			}
		}
		if r := records[slices.IndexFunc(records, func(r models.AuditRecord) bool { return r.Action == "user.changed" })]; !strings.Contains(r.Detail, `"role":"admin"`) {
			t.Errorf("the role: %s", r.Detail)
		}
	})
}
