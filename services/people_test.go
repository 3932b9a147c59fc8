package services

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"belfry/models"
)

// fields gives the names of what was refused.
func fields(e models.Error) (names []string) {
	for _, f := range e.Fields {
		names = append(names, f.Field)
	}
	return names
}

func TestUsers(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		ann := n.person(t, "Ann")
		if ann.ID == 0 || ann.DisplayName != "Ann" || ann.Role != models.RoleUser || ann.DisabledAt != nil || ann.CreatedAt == 0 || strings.Contains(ann.PasswordHash, password) {
			t.Errorf("%+v", ann)
		}
		bob := got(n.users.Add(t.Context(), NewUser{Username: "bob", DisplayName: "Bob B.", Password: password, Role: models.RoleAdmin}))(t)
		if bob.DisplayName != "Bob B." || bob.Role != models.RoleAdmin {
			t.Errorf("%+v", bob)
		}
		_, err := n.users.Add(t.Context(), NewUser{Username: "aNN", Password: password})
		refused(t, "a taken name", err, models.CodeConflict)
		_, err = n.users.Add(t.Context(), NewUser{Username: "a b", DisplayName: strings.Repeat("x", 101), Password: "short", Role: "king"})
		if e := refused(t, "all wrong", err, models.CodeInvalid); !slices.Equal(fields(e), []string{"username", "display_name", "password", "role"}) {
			t.Errorf("%v", fields(e))
		}
		if found := got(n.users.Find(t.Context(), "ANN"))(t); found.ID != ann.ID {
			t.Errorf("%+v", found)
		}
		for _, do := range []func() error{
			func() error { _, err := n.users.Find(t.Context(), "nobody"); return err },
			func() error { return n.users.Delete(t.Context(), "nobody") },
			func() error { return n.users.Disable(t.Context(), "nobody") },
			func() error { return n.users.SetPassword(t.Context(), "nobody", password) },
		} {
			refused(t, "nobody", do(), models.CodeNotFound)
		}
		if count := got(n.users.Count(t.Context()))(t); count != 2 {
			t.Errorf("%d users", count)
		}
	})
}

func TestOneNameIsTakenOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		var made, taken atomic.Int32
		atOnce(8, func(i int) {
			name := []string{"ann", "Ann", "ANN", "anN"}[i%4]
			switch _, err := n.users.Add(t.Context(), NewUser{Username: name, Password: password}); outcome(err) {
			case "":
				made.Add(1)
			case models.CodeConflict:
				taken.Add(1)
			default:
				t.Error(err)
			}
		})
		if made.Load() != 1 || taken.Load() != 7 {
			t.Errorf("%d made, %d taken", made.Load(), taken.Load())
		}
	})
}

// outcome is codeOf, and empty for no error.
func outcome(err error) models.Code {
	if err == nil {
		return ""
	}
	return codeOf(err)
}

func TestUserPages(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		for _, name := range []string{"dora", "Ann", "carl", "Bob", "eve"} {
			n.person(t, name)
		}
		var names []string
		for after := ""; ; {
			page := got(n.users.Page(t.Context(), "", after, 2))(t)
			for _, u := range page {
				names = append(names, u.Username)
			}
			if len(page) < 2 {
				break
			}
			after = page[len(page)-1].Username
		}
		if !slices.Equal(names, []string{"Ann", "Bob", "carl", "dora", "eve"}) {
			t.Errorf("%v", names)
		}
		if list := got(n.users.List(t.Context()))(t); len(list) != 5 || list[1].Username != "Bob" {
			t.Errorf("%d in the list", len(list))
		}
	})
}

func TestUpdateUser(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		n.person(t, "ann")
		l, cookie := n.signIn(t, "ann")
		name, admin, king, short := "Ann A.", models.RoleAdmin, models.Role("king"), "short"
		changed := got(n.users.Update(t.Context(), "ANN", UserChange{DisplayName: &name, Role: &admin}))(t)
		if changed.DisplayName != name || changed.Role != admin {
			t.Errorf("%+v", changed)
		}
		stands(t, "a new name ends nothing", n.resolve(t, cookie), models.SessionActive, "")
		if seen := n.resolve(t, cookie); seen.User.Role != admin || seen.User.DisplayName != name {
			t.Errorf("the session sees %+v", seen.User)
		}
		if same := got(n.users.Update(t.Context(), "ann", UserChange{}))(t); same.DisplayName != name {
			t.Errorf("nothing to change: %+v", same)
		}
		_, err := n.users.Update(t.Context(), "ann", UserChange{Role: &king, Password: &short, DisplayName: &name})
		if e := refused(t, "wrong", err, models.CodeInvalid); !slices.Equal(fields(e), []string{"password", "role"}) {
			t.Errorf("%v", fields(e))
		}
		told(t, n, l.ID)
	})
}

func TestDeleteUser(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		ann := n.person(t, "ann")
		got(n.groups.Add(t.Context(), "team", ""))(t)
		must(t, n.groups.Join(t.Context(), "team", "ann"))
		l, cookie := n.signIn(t, "ann")
		must(t, n.users.Delete(t.Context(), "ann"))
		_, err := n.sessions.Resolve(t.Context(), cookie)
		refused(t, "the session", err, models.CodeUnauthenticated)
		told(t, n, l.ID, "ended disabled")
		for _, table := range []string{"sessions", "memberships", "notice_states"} {
			if left := n.number(t, "SELECT count(*) FROM "+table); left != 0 {
				t.Errorf("%d left in %s", left, table)
			}
		}
		// The name is free, the number is not: what was for the one is not for the next.
		if next := n.person(t, "ann"); next.ID == ann.ID {
			t.Error("an id was given again")
		}
	})
}

// TestSomebodyAdministers: whoever is the only administrator stays one, also where two take the role from each other.
func TestSomebodyAdministers(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		user := models.RoleUser
		for _, name := range []string{"ann", "bob"} {
			n.admin(t, name)
		}
		demote := func(name string) error {
			_, err := n.users.Update(t.Context(), name, UserChange{Role: &user})
			return err
		}
		other := make(chan error)
		go func() { other <- demote("ann") }()
		failed := slices.DeleteFunc([]error{demote("bob"), <-other}, func(err error) bool { return err == nil })
		if len(failed) != 1 {
			t.Fatalf("%d of two were refused: %v", len(failed), failed)
		}
		refused(t, "the last one's role", failed[0], models.CodeConflict)
		last := "ann"
		if got(n.users.Find(t.Context(), last))(t).Role == user {
			last = "bob"
		}
		_, cookie := n.signIn(t, last)
		_, err := n.users.Update(t.Context(), last, UserChange{Disabled: new(true)})
		refused(t, "to disable the last one", err, models.CodeConflict)
		_, err = n.users.Settle(t.Context(), WantedUser{Username: last, Role: &user}, true)
		refused(t, "to try it", err, models.CodeConflict)
		refused(t, "to delete the last one", n.users.Delete(t.Context(), last), models.CodeConflict)
		stands(t, "nothing was done", n.resolve(t, cookie), models.SessionActive, "")
		got(n.users.Update(t.Context(), last, UserChange{DisplayName: new("Root"), Password: new(password + "!")}))(t)
		n.admin(t, "cem")
		must(t, n.users.Delete(t.Context(), last))
	})
}

func TestGroups(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		for _, name := range []string{"ann", "Bob", "carl"} {
			n.person(t, name)
		}
		team := got(n.groups.Add(t.Context(), "Team", ""))(t)
		got(n.groups.Add(t.Context(), "empty", "Nobody"))(t)
		_, err := n.groups.Add(t.Context(), "tEAM", "")
		refused(t, "a taken name", err, models.CodeConflict)
		_, err = n.groups.Add(t.Context(), "the team", strings.Repeat("x", 101))
		if e := refused(t, "wrong", err, models.CodeInvalid); !slices.Equal(fields(e), []string{"name", "display_name"}) {
			t.Errorf("%v", fields(e))
		}
		must(t, n.groups.Join(t.Context(), "team", "carl", "ANN", "ann", "bob"))
		must(t, n.groups.Join(t.Context(), "team", "ann")) // is in it already
		must(t, n.groups.Leave(t.Context(), "TEAM", "carl"))
		must(t, n.groups.Leave(t.Context(), "team", "carl")) // has left
		err = n.groups.Join(t.Context(), "team", "ann", "nobody")
		if e := refused(t, "nobody", err, models.CodeInvalid); !slices.Equal(fields(e), []string{"usernames"}) {
			t.Errorf("%v", fields(e))
		}
		refused(t, "no group", n.groups.Join(t.Context(), "none", "ann"), models.CodeNotFound)
		if v := got(n.groups.Find(t.Context(), "TEAM"))(t); v.ID != team.ID || v.DisplayName != "Team" || !slices.Equal(v.Members, []string{"ann", "Bob"}) {
			t.Errorf("%+v", v)
		}
		list := got(n.groups.List(t.Context()))(t)
		if len(list) != 2 || list[0].Name != "empty" || len(list[0].Members) != 0 || len(list[1].Members) != 2 {
			t.Errorf("%+v", list)
		}
		// Each joining holds the offset of its own entry.
		if wrong := n.number(t, "SELECT count(*) FROM memberships m WHERE NOT EXISTS (SELECT 1 FROM entries e WHERE e.log_offset = m.joined_offset AND e.kind = 'membership' AND e.audiences = 'user:' || m.user_id)"); wrong != 0 {
			t.Errorf("%d memberships without their entry", wrong)
		}
		got(n.groups.Update(t.Context(), "team", GroupChange{DisplayName: new("The Team")}))(t)
		_, err = n.groups.Update(t.Context(), "team", GroupChange{DisplayName: new("")})
		refused(t, "display nothing", err, models.CodeInvalid)
		must(t, n.groups.Remove(t.Context(), "team"))
		refused(t, "remove again", n.groups.Remove(t.Context(), "team"), models.CodeNotFound)
		_, err = n.groups.Find(t.Context(), "team")
		refused(t, "removed", err, models.CodeNotFound)
		if left := n.number(t, "SELECT count(*) FROM memberships"); left != 0 {
			t.Errorf("%d memberships left", left)
		}
	})
}

func TestKeys(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		scopes := []models.Scope{models.ScopeNoticesWrite, models.ScopeTicketsWrite, models.ScopeNoticesWrite}
		key, secret, err := n.keys.Create(t.Context(), KeySpec{Name: "builds", Scopes: scopes})
		must(t, err)
		if !strings.HasPrefix(secret, "bfk_") || key.ScopeList != "notices:write tickets:write" {
			t.Errorf("%q, %+v", secret[:4], key)
		}
		if found := got(n.keys.Resolve(t.Context(), secret))(t); found.ID != key.ID || !found.Has(models.ScopeTicketsWrite) {
			t.Errorf("%+v", found)
		}
		for _, wrong := range []string{"", "bfk_", secret + "x", secret[:len(secret)-1], strings.TrimPrefix(secret, "bfk_"), string(key.Hash)} {
			_, err := n.keys.Resolve(t.Context(), wrong)
			refused(t, "a wrong secret", err, models.CodeUnauthenticated)
		}
		for _, c := range []struct {
			name   string
			scopes []models.Scope
			want   []string
		}{
			{" ", scopes, []string{"name"}}, {strings.Repeat("x", 101), nil, []string{"name", "scopes"}}, {"x", []models.Scope{"all"}, []string{"scopes"}},
		} {
			_, _, err := n.keys.Create(t.Context(), KeySpec{Name: c.name, Scopes: c.scopes})
			if e := refused(t, c.name, err, models.CodeInvalid); !slices.Equal(fields(e), c.want) {
				t.Errorf("%v, want %v", fields(e), c.want)
			}
		}
		soon := models.InstantOf(time.Now().Add(time.Hour))
		brief, briefSecret, err := n.keys.Create(t.Context(), KeySpec{Name: "brief", Scopes: scopes, Expires: &soon})
		must(t, err)
		got(n.keys.Resolve(t.Context(), briefSecret))(t)
		n.run(t, "UPDATE api_keys SET expires_at = "+n.db.now()+" WHERE id = ?", brief.ID)
		_, err = n.keys.Resolve(t.Context(), briefSecret)
		refused(t, "expired", err, models.CodeUnauthenticated)

		must(t, n.keys.Revoke(t.Context(), key.ID))
		refused(t, "revoke again", n.keys.Revoke(t.Context(), key.ID), models.CodeNotFound)
		refused(t, "revoke none", n.keys.Revoke(t.Context(), 999), models.CodeNotFound)
		_, err = n.keys.Resolve(t.Context(), secret)
		refused(t, "revoked", err, models.CodeUnauthenticated)
		if list := got(n.keys.List(t.Context()))(t); len(list) != 1 || list[0].ID != brief.ID {
			t.Errorf("%+v", list)
		}
		if revoked := n.number(t, "SELECT count(*) FROM entries WHERE kind = 'key_revoked' AND audiences = ?", keyAudience(key.ID)); revoked != 1 {
			t.Errorf("%d entries say that the key was revoked", revoked)
		}
	})
}

// TestKeyLastUse: it is written down on whichever node, at most once a minute.
func TestKeyLastUse(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		key, secret, err := n.keys.Create(t.Context(), KeySpec{Name: "builds", Scopes: []models.Scope{models.ScopeNoticesWrite}})
		must(t, err)
		used := func() *models.Instant {
			t.Helper()
			list := got(n.keys.List(t.Context()))(t)
			return list[0].LastUsedAt
		}
		if used() != nil {
			t.Errorf("used before it was: %v", used())
		}
		before := models.Instant(n.number(t, "SELECT "+n.db.now()))
		got(n.keys.Resolve(t.Context(), secret))(t)
		first := used()
		if first == nil || *first < before {
			t.Fatalf("last use %v, want one from %v on", first, before)
		}
		back := func(by time.Duration) {
			n.run(t, "UPDATE api_keys SET last_used_at = last_used_at - ? WHERE id = ?", by.Milliseconds(), key.ID)
		}
		// Another node, which knows nothing of the first one's note.
		back(30 * time.Second)
		half := *used()
		got(NewKeys(n.db, n.journal, NewVault(n.tokens.ring)).Resolve(t.Context(), secret))(t)
		if at := *used(); at != half {
			t.Errorf("written again within a minute: %v after %v", at, half)
		}
		back(31 * time.Second)
		got(n.keys.Resolve(t.Context(), secret))(t) // this node has noted it a moment ago
		if at := *used(); at >= before {
			t.Errorf("this node wrote twice within a minute: %v", at)
		}
		got(NewKeys(n.db, n.journal, NewVault(n.tokens.ring)).Resolve(t.Context(), secret))(t)
		if at := *used(); at < *first {
			t.Errorf("a use after a minute is not written: %v", at)
		}
	})
}

func TestRecipients(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		got(n.users.Add(t.Context(), NewUser{Username: "ann", DisplayName: "Zoë 100%", Password: password}))(t)
		n.person(t, "joann")
		n.person(t, "gone_ann")
		must(t, n.users.Disable(t.Context(), "gone_ann"))
		got(n.groups.Add(t.Context(), "annex", ""))(t)
		user, system := &Principal{Live: &Live{User: models.User{Role: models.RoleUser}}}, n.system(t)
		for _, c := range []struct {
			as   *Principal
			text string
			want string
		}{
			{user, "ANN", "ann joann"}, {system, "ann", "ann annex joann"}, {user, "zoë", "ann"}, {user, "0%", "ann"}, {user, "a%n", ""}, {user, "_", ""}, {user, `\`, ""},
		} {
			var names []string
			for _, hit := range got(n.recipients.Find(t.Context(), c.as, c.text))(t) {
				names = append(names, hit.Name)
			}
			if strings.Join(names, " ") != c.want {
				t.Errorf("%q: %v, want %s", c.text, names, c.want)
			}
		}
		for i := range MaxRecipientHits + 5 {
			n.run(t, "INSERT INTO groups (name, display_name, created_at) VALUES (?, 'x', 0)", fmt.Sprint("many", i))
		}
		if hits := got(n.recipients.Find(t.Context(), system, "many"))(t); len(hits) != MaxRecipientHits || hits[0].Type != "group" {
			t.Errorf("%d hits", len(hits))
		}
	})
}

// TestSettleBlankName: once more it changes nothing, whatever a blank name shown stands for.
func TestSettleBlankName(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		for i, want := range []string{"added", "unchanged", "unchanged"} {
			if have := got(n.users.Settle(t.Context(), WantedUser{Username: "ann", DisplayName: new("")}, false))(t).Result(); have != want {
				t.Errorf("%d: %s, want %s", i, have, want)
			}
		}
	})
}

// Disable shuts a person out.
func (u *Users) Disable(ctx context.Context, username string) error {
	_, err := u.Update(ctx, username, UserChange{Disabled: new(true)})
	return err
}

// Enable lets a disabled person sign in again.
func (u *Users) Enable(ctx context.Context, username string) error {
	_, err := u.Update(ctx, username, UserChange{Disabled: new(false)})
	return err
}

// TestKeyExpiresInMemory: a key that this node remembers is refused when its time is over, though no entry tells of that.
func TestKeyExpiresInMemory(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		soon := models.InstantOf(time.Now().Add(time.Hour))
		_, secret, err := n.keys.Create(t.Context(), KeySpec{Name: "brief", Scopes: []models.Scope{models.ScopeNoticesWrite}, Expires: &soon})
		must(t, err)
		got(n.keys.Resolve(t.Context(), secret))(t)
		over := got(n.db.clock(t.Context()))(t) - models.Instant(time.Minute.Milliseconds())
		// Past the services, and without Forget: what is in memory stays there.
		must(t, n.db.Write.Exec("UPDATE api_keys SET expires_at = ?", over).Error)
		n.keys.cache.change(string(hashOf(secret)), func(k *models.Key) *models.Key {
			expired := *k
			expired.ExpiresAt = &over
			return &expired
		})
		_, err = n.keys.Resolve(t.Context(), secret)
		refused(t, "expired", err, models.CodeUnauthenticated)
	})
}
