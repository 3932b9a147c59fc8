package services

import (
	"slices"
	"testing"
	"time"

	"belfry/models"
	"belfry/services/journal"
)

// TestMarkedBehindMany: what was archived or put off is found behind more notices than are looked through one by one, by whatever
// offset it has, and nothing of it that is not the person's any more.
func TestMarkedBehindMany(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		ann := n.person(t, "ann")
		system := n.system(t)
		got(n.groups.Add(t.Context(), "ops", ""))(t)
		must(t, n.groups.Join(t.Context(), "ops", "ann"))
		to, ops := Target{Users: []string{"ann"}}, Target{Groups: []string{"ops"}}
		waiting := n.later(t, system, to, time.Hour, titled("scheduled"))
		plain, left := n.publish(t, system, to, titled("plain")), n.publish(t, system, ops, titled("left"))
		snoozed := n.publish(t, system, to, titled("snoozed"))
		n.hourLater(t)
		archived, until := true, models.InstantOf(time.Now().Add(time.Hour))
		marked := []int64{waiting.ID, plain.ID, left.ID}
		if done := got(n.notices.Mark(t.Context(), ann, Marking{IDs: marked, Archived: &archived}))(t); done.Changed != 3 {
			t.Fatalf("%+v", done)
		}
		got(n.notices.Mark(t.Context(), ann, Marking{IDs: []int64{snoozed.ID}, Snooze: &Snooze{Until: &until}}))(t)
		must(t, n.groups.Leave(t.Context(), "ops", "ann"))
		for range firstStep + 1 {
			n.publish(t, system, to, titled("newer"))
		}
		for state, want := range map[string][]string{"archived": {"scheduled", "plain"}, "snoozed": {"snoozed"}} {
			var titles []string
			listing := Listing{State: state, Limit: 1}
			for more := true; more; {
				page := got(n.notices.List(t.Context(), ann, listing))(t)
				for _, item := range page.Items {
					titles = append(titles, item.Title)
					at, _ := journal.ParsePosition(item.Cursor)
					listing.Before = at.Offset
				}
				more = page.Next != ""
			}
			if !slices.Equal(titles, want) {
				t.Errorf("%s: %v, want %v", state, titles, want)
			}
		}
	})
}

// TestReadAllAgain: to read all once more looks no further back than there is anything unread.
func TestReadAllAgain(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		ann := n.person(t, "ann")
		system := n.system(t)
		to, read, unread := Target{Users: []string{"ann"}}, true, false
		first := n.publish(t, system, to, titled("first"))
		n.publish(t, system, to, titled("second"))
		all := func(want int) {
			t.Helper()
			must(t, n.hub.Await(t.Context(), n.journal.Committed()))
			at := n.journal.Position(n.journal.Cursor())
			if done := got(n.notices.Mark(t.Context(), ann, Marking{UpTo: &at, Read: &read}))(t); done.Changed != want || done.Unread != 0 {
				t.Errorf("%+v, want %d changed", done, want)
			}
		}
		all(2)
		all(0)
		got(n.notices.Mark(t.Context(), ann, Marking{IDs: []int64{first.ID}, Read: &unread}))(t)
		if page := got(n.notices.List(t.Context(), ann, Listing{State: "unread", Limit: 5}))(t); len(page.Items) != 1 {
			t.Errorf("%d are unread", len(page.Items))
		}
		n.publish(t, system, to, titled("third"))
		all(2)
	})
}
