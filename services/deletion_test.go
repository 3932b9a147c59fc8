package services

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"belfry/models"
)

// ownedColumns names rows that are nothing without what they belong to. What is not among them outlives it on purpose: the
// record of what was done, and what is looked up when its turn comes.
var ownedColumns = []string{"user_id", "group_id", "task_id", "webhook_id"}

// TestOwnedRowsGoWithTheirOwner: whichever table has such a column, now or later, the database itself takes its rows along.
func TestOwnedRowsGoWithTheirOwner(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		columns := `SELECT m.name || '.' || c.name FROM sqlite_master m JOIN pragma_table_info(m.name) c WHERE m.type = 'table' AND c.name IN ?`
		cascading := `SELECT m.name || '.' || f."from" FROM sqlite_master m JOIN pragma_foreign_key_list(m.name) f WHERE m.type = 'table' AND f.on_delete = 'CASCADE'`
		if n.db.Dialect == Postgres {
			columns = `SELECT table_name || '.' || column_name FROM information_schema.columns WHERE table_schema = 'public' AND column_name IN ?`
			cascading = `SELECT c.relname || '.' || a.attname FROM pg_constraint f JOIN pg_class c ON c.oid = f.conrelid
				JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = f.conkey[1] WHERE f.contype = 'f' AND f.confdeltype = 'c'`
		}
		var owned, bound []string
		must(t, n.db.Read.WithContext(t.Context()).Raw(columns, ownedColumns).Scan(&owned).Error)
		must(t, n.db.Read.WithContext(t.Context()).Raw(cascading).Scan(&bound).Error)
		if len(owned) < 12 || !slices.Contains(owned, "memberships.group_id") {
			t.Fatalf("only %v were found", owned)
		}
		for _, column := range owned {
			if !slices.Contains(bound, column) {
				t.Errorf("%s: its rows stay when what they belong to is deleted", column)
			}
		}
	})
}

// rowsOf counts the rows that belong to a person, table by table.
func (n *node) rowsOf(t testing.TB, user int64) (tables []string) {
	t.Helper()
	for _, table := range []string{"sessions", "memberships", "notice_states", "inboxes", "preferences", "password_resets", "passkeys", "totps", "ceremonies", "identities", "push_subscriptions"} {
		if n.number(t, "SELECT count(*) FROM "+table+" WHERE user_id = ?", user) > 0 {
			tables = append(tables, table)
		}
	}
	return tables
}

// TestDeletedUser: what is the person's own goes with them; what they sent stays with whoever has it; who is called so next
// is somebody else.
func TestDeletedUser(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		ann, bob, system := n.person(t, "ann"), n.person(t, "bob"), n.system(t)
		got(n.groups.Add(t.Context(), "crew", ""))(t)
		must(t, n.groups.Join(t.Context(), "crew", "ann", "bob"))
		_, cookie := n.signIn(t, "ann")
		chosen := models.DefaultPreferences()
		chosen.Theme = "dark"
		must(t, n.preferences.Replace(t.Context(), ann.ID, chosen))
		got(n.users.MakeReset(t.Context(), "ann"))(t)
		to := Target{Users: []string{"ann"}}
		had := n.publish(t, system, to, titled("hers"))
		got(n.notices.MarkOne(t.Context(), ann, had.ID, Marking{Read: new(true)}))(t)
		n.publish(t, n.principal(t, "ann"), Target{Users: []string{"bob"}}, titled("sent"))
		waiting := n.later(t, system, Target{Users: []string{"ann", "bob"}}, time.Hour, titled("waited"))
		own := n.later(t, n.principal(t, "ann"), Target{Users: []string{"bob"}}, time.Hour, titled("never"))
		both, alone := n.keyTo(t, "both", Target{Users: []string{"bob", "ANN"}}), n.keyTo(t, "alone", to)
		task, _, err := n.tasks.Create(t.Context(), system, NewTask{Title: "t", To: to})
		must(t, err)
		if tables := n.rowsOf(t, ann.ID); len(tables) < 5 {
			t.Fatalf("only %v to look at", tables)
		}

		must(t, n.users.Delete(t.Context(), "ann"))

		if tables := n.rowsOf(t, ann.ID); len(tables) != 0 {
			t.Errorf("rows are left in %v", tables)
		}
		if _, err := n.sessions.Resolve(t.Context(), cookie); codeOf(err) != models.CodeUnauthenticated {
			t.Errorf("the session: %v", err)
		}
		_, err = n.notices.Publish(t.Context(), system, Outgoing{To: to, Content: titled("lost")})
		refused(t, "to who is gone", err, models.CodeInvalid)
		if have := n.target(t, both); !slices.Equal(have.Users, []string{"bob"}) {
			t.Errorf("the key sends to %+v", have)
		}
		if have := n.target(t, alone); !have.Empty() {
			t.Errorf("the other key sends to %+v", have)
		}
		n.hourLater(t)
		n.inboxIs(t, "of another", bob, "waited sent", 2)
		page := got(n.notices.List(t.Context(), bob, Listing{Limit: 5}))(t)
		if page.Items[0].ID != waiting.ID || page.Items[1].Sender.Name != "ann" {
			t.Errorf("%+v", page.Items)
		}
		if rows := n.number(t, "SELECT count(*) FROM schedules WHERE id = ? AND withdrawn_at IS NOT NULL", own.ID); rows != 1 {
			t.Error("what they had scheduled is not withdrawn")
		}
		n.nothingLeftOf(t, "ann", system, task.ID)
		if records := n.number(t, "SELECT count(*) FROM audit WHERE action = 'user.deleted' AND username = 'ann'"); records != 1 {
			t.Errorf("%d records", records)
		}
	})
}

// nothingLeftOf looks at what a deleted person's name still leads to: on what was sent to them, and for the next who is called so.
func (n *node) nothingLeftOf(t *testing.T, name string, sender *Principal, task int64) {
	t.Helper()
	sent, _, err := n.notices.Sent(t.Context(), sender, 0, 10)
	must(t, err)
	for _, s := range sent {
		if slices.Contains(s.To.Users, name) {
			t.Errorf("%s is shown as sent to who is gone", s.Title)
		}
	}
	next := n.person(t, name)
	n.inboxIs(t, "of the next of that name", next, "", 0)
	if _, err := n.tasks.Get(t.Context(), n.principal(t, name), task); codeOf(err) != models.CodeNotFound {
		t.Errorf("the task of who was called so before: %v", err)
	}
}

// TestDeletedGroup: what it was sent leaves its members' inboxes, unless they have it otherwise; the next group of that name
// has nothing of it.
func TestDeletedGroup(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		ann, system := n.person(t, "ann"), n.system(t)
		add := func() {
			t.Helper()
			got(n.groups.Add(t.Context(), "crew", ""))(t)
			must(t, n.groups.Join(t.Context(), "crew", "ann"))
		}
		add()
		crew := Target{Groups: []string{"crew"}}
		n.publish(t, system, crew, titled("lost"))
		n.publish(t, system, Target{Groups: []string{"crew"}, Users: []string{"ann"}}, titled("kept"))
		n.later(t, system, crew, time.Hour, titled("nobody"))
		n.later(t, system, Target{Groups: []string{"crew"}, Users: []string{"ann"}}, time.Hour, titled("waited"))
		secret := n.keyTo(t, "alerts", Target{Groups: []string{"crew"}, Users: []string{"ann"}})
		task, _, err := n.tasks.Create(t.Context(), system, NewTask{Title: "t", To: crew})
		must(t, err)
		if _, err := n.tasks.Get(t.Context(), n.principal(t, "ann"), task.ID); err != nil {
			t.Errorf("a member reads the task: %v", err)
		}

		must(t, n.groups.Remove(t.Context(), "crew"))
		add()
		n.publish(t, system, crew, titled("anew")) // to the one that has the name now

		n.hourLater(t)
		n.inboxIs(t, "of a member", ann, "waited anew kept", 3)
		if have := n.target(t, secret); len(have.Groups) != 0 || !slices.Equal(have.Users, []string{"ann"}) {
			t.Errorf("the key sends to %+v", have)
		}
		if _, err := n.tasks.Get(t.Context(), n.principal(t, "ann"), task.ID); codeOf(err) != models.CodeNotFound {
			t.Errorf("the task: %v", err)
		}
		sent, _, err := n.notices.Sent(t.Context(), system, 0, 10)
		must(t, err)
		var counts []string
		for _, s := range sent {
			counts = append(counts, fmt.Sprint(s.Title, " ", s.Recipients))
		}
		slices.Sort(counts)
		if have := strings.Join(counts, ", "); !strings.Contains(have, "lost 0, nobody 0") || !strings.Contains(have, "kept 1") {
			t.Errorf("sent: %s", have)
		}
	})
}
