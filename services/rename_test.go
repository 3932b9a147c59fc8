package services

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"belfry/internal/testpg"
	"belfry/models"
)

// keyTo makes a key whose notices are for somebody, and gives its secret.
func (n *node) keyTo(t testing.TB, name string, to Target) string {
	t.Helper()
	_, secret, err := n.keys.Create(t.Context(), KeySpec{Name: name, Scopes: []models.Scope{models.ScopeNoticesWrite}, To: to})
	must(t, err)
	return secret
}

// target is for whom a key's notices are, as a request finds it.
func (n *node) target(t testing.TB, secret string) Target {
	t.Helper()
	return got(got(n.keys.Resolve(t.Context(), secret))(t).Target())(t)
}

// second is another node on the same database; SQLite has one alone, and is given that.
func (n *node) second(t testing.TB, address string) *node {
	t.Helper()
	if n.db.Dialect == SQLite {
		return n
	}
	return newNode(t, address)
}

// TestRenamedGroup: under another name it is the same group, on every node; who takes the old name gets nothing of it.
func TestRenamedGroup(t *testing.T) {
	onBothAt(t, func(t *testing.T, n *node, address string) {
		ann, system := n.person(t, "ann"), n.system(t)
		crew := got(n.groups.Add(t.Context(), "crew", ""))(t)
		got(n.groups.Add(t.Context(), "other", "The others"))(t)
		must(t, n.groups.Join(t.Context(), "crew", "ann"))
		secret := n.keyTo(t, "alerts", Target{Groups: []string{"other", "Crew"}, Users: []string{"ann"}})
		to := Target{Groups: []string{"crew"}}
		n.publish(t, system, to, titled("before"))
		n.later(t, system, to, time.Hour, titled("waited"))
		far := n.second(t, address)
		far.publish(t, system, to, titled("far")) // so that both nodes know the old name
		far.target(t, secret)

		renamed := got(n.groups.Update(t.Context(), "CREW", GroupChange{Name: new("watch")}))(t)
		if renamed.ID != crew.ID || renamed.Name != "watch" || renamed.DisplayName != "watch" || !slices.Equal(renamed.Members, []string{"ann"}) {
			t.Errorf("%+v", renamed)
		}
		for _, node := range []*node{n, far} {
			node.caughtUp(t, n)
			if have := node.target(t, secret); !slices.Equal(have.Groups, []string{"other", "watch"}) || len(have.Users) != 1 {
				t.Errorf("the key sends to %+v", have)
			}
			_, err := node.notices.Publish(t.Context(), system, Outgoing{To: to, Content: titled("lost")})
			if e := refused(t, "the old name", err, models.CodeInvalid); !strings.Contains(e.Fields[0].Detail, "no group crew") {
				t.Errorf("%+v", e)
			}
			node.publish(t, system, node.target(t, secret), titled("after"))
		}
		got(n.groups.Add(t.Context(), "crew", ""))(t)
		n.publish(t, system, to, titled("to others"))
		n.hourLater(t)
		n.inboxIs(t, "of a member", ann, "waited after after far before", 5)
		page, _, err := n.notices.Sent(t.Context(), system, 0, 50)
		must(t, err)
		if last := page[len(page)-1]; last.Title != "before" || !slices.Equal(last.To.Groups, []string{"watch"}) {
			t.Errorf("sent: %+v", last)
		}
	})
}

func TestChangeGroup(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		got(n.groups.Add(t.Context(), "team", "The Team"))(t)
		got(n.groups.Add(t.Context(), "taken", ""))(t)
		change := func(name string, c GroupChange) error {
			_, err := n.groups.Update(t.Context(), name, c)
			return err
		}
		refused(t, "a taken name", change("team", GroupChange{Name: new("TAKEN")}), models.CodeConflict)
		refused(t, "none", change("none", GroupChange{Name: new("x")}), models.CodeNotFound)
		err := change("team", GroupChange{Name: new("a b"), DisplayName: new("")})
		if e := refused(t, "all wrong", err, models.CodeInvalid); !slices.Equal(fields(e), []string{"name", "display_name"}) {
			t.Errorf("%v", fields(e))
		}
		before := n.number(t, "SELECT count(*) FROM audit")
		for _, c := range []GroupChange{{}, {Name: new("team")}, {DisplayName: new("The Team")}, {Disabled: new(false)}} {
			must(t, change("team", c))
		}
		if after := n.number(t, "SELECT count(*) FROM audit"); after != before {
			t.Errorf("%d records of nothing", after-before)
		}
		if v := got(n.groups.Update(t.Context(), "team", GroupChange{Name: new("Team")}))(t); v.Name != "Team" || v.DisplayName != "The Team" {
			t.Errorf("another case, and its own display name: %+v", v)
		}
		if records := n.number(t, `SELECT count(*) FROM audit WHERE action = 'group.changed' AND detail LIKE '%"name":"Team"%' AND detail LIKE '%"group":"team"%'`); records != 1 {
			t.Errorf("%d records of the new name", records)
		}
	})
}

// TestDisabledGroup takes nothing new. What it has, and what it was promised, stays.
func TestDisabledGroup(t *testing.T) {
	onBothAt(t, func(t *testing.T, n *node, address string) {
		ann, system := n.person(t, "ann"), n.system(t)
		got(n.groups.Add(t.Context(), "crew", ""))(t)
		must(t, n.groups.Join(t.Context(), "crew", "ann"))
		to := Target{Groups: []string{"crew"}}
		n.publish(t, system, to, titled("before"))
		n.later(t, system, to, time.Hour, titled("waited"))
		far := n.second(t, address)
		far.publish(t, system, to, titled("far"))

		if v := got(n.groups.Update(t.Context(), "crew", GroupChange{Disabled: new(true)}))(t); v.DisabledAt == nil || len(v.Members) != 1 {
			t.Errorf("%+v", v)
		}
		for _, node := range []*node{n, far, n.restarted(t, address)} {
			node.caughtUp(t, n)
			_, err := node.notices.Publish(t.Context(), system, Outgoing{To: to, Content: titled("lost")})
			if e := refused(t, "a disabled group", err, models.CodeInvalid); e.Fields[0].Field != "to.groups" || e.Fields[0].Detail != "The group crew is disabled." {
				t.Errorf("%+v", e)
			}
			if hits := got(node.recipients.Find(t.Context(), system, "cre"))(t); len(hits) != 0 {
				t.Errorf("offered: %v", hits)
			}
		}
		_, err := n.notices.Publish(t.Context(), system, Outgoing{To: Target{Groups: []string{"none"}}, Content: titled("lost")})
		if e := refused(t, "an unknown group", err, models.CodeInvalid); e.Fields[0].Detail != "There is no group none." {
			t.Errorf("%+v", e)
		}
		n.hourLater(t)
		n.inboxIs(t, "of a member", ann, "waited far before", 3)
		got(n.groups.Update(t.Context(), "crew", GroupChange{Disabled: new(false)}))(t)
		n.publish(t, system, to, titled("again"))
		n.inboxIs(t, "enabled", ann, "again waited far before", 4)
		if records := n.number(t, "SELECT count(*) FROM audit WHERE action IN ('group.disabled', 'group.enabled')"); records != 2 {
			t.Errorf("%d records", records)
		}
	})
}

// TestRenamedUser: sessions, inbox, groups and keys go with the person.
func TestRenamedUser(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		ann, system := n.person(t, "ann"), n.system(t)
		n.person(t, "taken")
		_, cookie := n.signIn(t, "ann")
		got(n.groups.Add(t.Context(), "crew", ""))(t)
		must(t, n.groups.Join(t.Context(), "crew", "ann"))
		secret := n.keyTo(t, "alerts", Target{Users: []string{"ann", "taken"}})
		n.publish(t, system, Target{Users: []string{"ann"}}, titled("before"))
		_, err := n.users.Update(t.Context(), "ann", UserChange{Username: new("TAKEN")})
		refused(t, "a taken name", err, models.CodeConflict)
		_, err = n.users.Update(t.Context(), "ann", UserChange{Username: new("a b")})
		if e := refused(t, "no name", err, models.CodeInvalid); !slices.Equal(fields(e), []string{"username"}) {
			t.Errorf("%v", fields(e))
		}

		renamed := got(n.users.Update(t.Context(), "ann", UserChange{Username: new("anna")}))(t)
		if renamed.ID != ann.ID || renamed.Username != "anna" || renamed.DisplayName != "anna" {
			t.Errorf("%+v", renamed)
		}
		if seen := n.resolve(t, cookie); seen.Verdict.State != models.SessionActive || seen.User.Username != "anna" {
			t.Errorf("the session sees %+v", seen.User)
		}
		n.signIn(t, "anna")
		if have := n.target(t, secret); !slices.Equal(have.Users, []string{"anna", "taken"}) {
			t.Errorf("the key sends to %+v", have)
		}
		n.person(t, "ann") // somebody else
		n.publish(t, system, Target{Users: []string{"ann"}}, titled("to another"))
		n.publish(t, system, n.target(t, secret), titled("after"))
		n.publish(t, system, Target{Groups: []string{"crew"}}, titled("group"))
		n.inboxIs(t, "of the person", renamed, "group after before", 3)
		if records := n.number(t, `SELECT count(*) FROM audit WHERE action = 'user.changed' AND username = 'anna' AND detail LIKE '%"was":"ann"%'`); records != 1 {
			t.Errorf("%d records of the new name", records)
		}
	})
}

// onBothAt is onBoth with the database's address, for tests that need another node.
func onBothAt(t *testing.T, test func(t *testing.T, n *node, address string)) {
	t.Parallel()
	t.Run(SQLite, func(t *testing.T) {
		t.Parallel()
		address := sqliteAddress(t)
		test(t, newNode(t, address), address)
	})
	t.Run(Postgres, func(t *testing.T) {
		t.Parallel()
		address := testpg.Database(t)
		test(t, newNode(t, address), address)
	})
}

// restarted is a node that begins now: what it keeps in memory it has read at its start.
func (n *node) restarted(t testing.TB, address string) *node {
	t.Helper()
	later := n.second(t, address)
	must(t, later.notices.directory.warm(t.Context()))
	return later
}

// caughtUp waits until the node has read what the other one has committed.
func (n *node) caughtUp(t *testing.T, other *node) {
	t.Helper()
	head := other.number(t, "SELECT head FROM log_head")
	eventually(t, "the other node's entries", func() bool { return n.journal.Cursor() >= head })
}

// TestKeyForNobody: a key is not made for a name that nobody has, and is made for a group that is disabled, which may come back.
func TestKeyForNobody(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		n.person(t, "ann")
		got(n.groups.Add(t.Context(), "crew", ""))(t)
		for field, to := range map[string]Target{"to.users": {Users: []string{"ann", "bob"}, Groups: []string{"crew"}}, "to.groups": {Users: []string{"ann"}, Groups: []string{"crew", "crwe"}}} {
			_, _, err := n.keys.Create(t.Context(), KeySpec{Name: "alerts", Scopes: []models.Scope{models.ScopeNoticesWrite}, To: to})
			if e := refused(t, field, err, models.CodeInvalid); !slices.Equal(fields(e), []string{field}) {
				t.Errorf("%v, want %s", fields(e), field)
			}
		}
		if keys := n.number(t, "SELECT count(*) FROM api_keys"); keys != 0 {
			t.Errorf("%d keys were made", keys)
		}
		got(n.groups.Update(t.Context(), "crew", GroupChange{Disabled: new(true)}))(t)
		n.keyTo(t, "alerts", Target{Users: []string{"ANN"}, Groups: []string{"Crew"}})
	})
}

// TestRecipientOfAKeyTwice: one who stands there twice follows the new name, and leaves, as a whole.
func TestRecipientOfAKeyTwice(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		n.person(t, "ann")
		n.person(t, "bob")
		secret := n.keyTo(t, "alerts", Target{Users: []string{"ann", "bob", "Ann", "ann"}})
		got(n.users.Update(t.Context(), "ann", UserChange{Username: new("bea")}))(t)
		if have := n.target(t, secret).Users; !slices.Equal(have, []string{"bea", "bob"}) {
			t.Errorf("the key sends to %q", have)
		}
		must(t, n.users.Delete(t.Context(), "bea"))
		if have := n.target(t, secret).Users; !slices.Equal(have, []string{"bob"}) {
			t.Errorf("after she was deleted it sends to %q", have)
		}
		secret = n.keyTo(t, "more", Target{Users: []string{"bob", "Bob"}})
		must(t, n.users.Delete(t.Context(), "bob"))
		if have := n.target(t, secret).Users; len(have) != 0 {
			t.Errorf("after he was deleted it sends to %q: the next of that name would get it", have)
		}
	})
}

// TestRenamedAtOnce: of two who give a person another name at once, or one who deletes them, a key ends up with what holds.
func TestRenamedAtOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		n.person(t, "ann")
		secret := n.keyTo(t, "alerts", Target{Users: []string{"ann"}})
		user := got(n.users.Find(t.Context(), "ann"))(t)
		for i := range 20 {
			atOnce(2, func(k int) {
				_, err := n.users.Update(t.Context(), user.Username, UserChange{Username: new(fmt.Sprintf("ann%d-%d", i, k))})
				if err != nil && models.CodeOf(err) != models.CodeNotFound { // the other was first, and the name is gone
					t.Error(err)
				}
			})
			user = got(n.users.byID(t.Context(), user.ID))(t)
			if have := n.target(t, secret).Users; !slices.Equal(have, []string{user.Username}) {
				t.Fatalf("%s is found under %q", user.Username, have)
			}
		}
		for i := range 20 {
			name, next := fmt.Sprintf("bob%d", i), fmt.Sprintf("bert%d", i)
			n.person(t, name)
			got(n.groups.Add(t.Context(), name, ""))(t)
			secret := n.keyTo(t, "more", Target{Users: []string{name}, Groups: []string{name}})
			atOnce(4, func(k int) {
				switch k { // one of each two finds nothing where the other was first
				case 0:
					_, _ = n.users.Update(t.Context(), name, UserChange{Username: &next})
				case 1:
					_ = n.users.Delete(t.Context(), name)
				case 2:
					_, _ = n.groups.Update(t.Context(), name, GroupChange{Name: &next})
				default:
					_ = n.groups.Remove(t.Context(), name)
				}
			})
			to := n.target(t, secret)
			for _, name := range to.Users {
				got(n.users.Find(t.Context(), name))(t)
			}
			for _, name := range to.Groups {
				got(n.groups.Find(t.Context(), name))(t)
			}
		}
	})
}
