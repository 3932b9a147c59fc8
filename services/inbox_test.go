package services

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"belfry/models"
	"belfry/services/journal"
)

// titles lists an inbox, newest first, page by page.
func (n *node) titles(t *testing.T, user *models.User, l Listing) string {
	t.Helper()
	if l.State == "" {
		l.State = "inbox"
	}
	if l.Limit == 0 {
		l.Limit = 50
	}
	var titles []string
	for range 100 {
		page := got(n.notices.List(t.Context(), user, l))(t)
		for _, item := range page.Items {
			titles = append(titles, item.Title)
		}
		if page.Next == "" {
			return strings.Join(titles, " ")
		}
		at, ok := journal.ParsePosition(page.Next)
		if !ok || len(page.Items) != l.Limit {
			t.Fatalf("next %q after %d items", page.Next, len(page.Items))
		}
		l.Before = at.Offset
	}
	t.Fatal("the pages do not end")
	return ""
}

// inboxIs holds an inbox to its titles, however it is paged, and to its unread count.
func (n *node) inboxIs(t *testing.T, what string, user *models.User, want string, unread int64) {
	t.Helper()
	for _, limit := range []int{50, 2, 1} {
		if have := n.titles(t, user, Listing{Limit: limit}); have != want {
			t.Errorf("%s, by %d: %q, want %q", what, limit, have, want)
		}
	}
	if page := got(n.notices.List(t.Context(), user, Listing{State: "all", Limit: 1}))(t); page.Unread != unread {
		t.Errorf("%s: %d unread, want %d", what, page.Unread, unread)
	}
	if s := got(n.notices.Summarise(t.Context(), user))(t); s.Unread != unread {
		t.Errorf("%s: the stream is told %d unread, want %d", what, s.Unread, unread)
	}
}

func TestInboxIsWhatIsAddressedToWhoOneIsNow(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		system := n.system(t)
		ann, bob := n.person(t, "ann"), n.person(t, "bob")
		got(n.groups.Add(t.Context(), "team", ""))(t)
		team, all := Target{Groups: []string{"team"}}, Target{Everyone: true}
		n.publish(t, system, Target{Users: []string{"ann"}}, titled("own"))
		n.publish(t, system, all, titled("all1"))
		n.publish(t, system, team, titled("before"))
		must(t, n.groups.Join(t.Context(), "team", "ann"))
		n.publish(t, system, team, titled("team1"))
		n.publish(t, system, Target{Users: []string{"ann", "bob"}, Groups: []string{"team"}, Everyone: true}, titled("thrice"))
		carl := n.person(t, "carl")
		n.publish(t, system, all, titled("all2"))
		n.inboxIs(t, "ann", ann, "all2 thrice team1 all1 own", 5)
		n.inboxIs(t, "bob", bob, "all2 thrice all1", 3)
		n.inboxIs(t, "carl, who came late", carl, "all2", 1)

		must(t, n.groups.Leave(t.Context(), "team", "ann"))
		n.inboxIs(t, "ann has left", ann, "all2 thrice all1 own", 4)
		n.publish(t, system, team, titled("away"))
		must(t, n.groups.Join(t.Context(), "team", "ann", "carl"))
		n.publish(t, system, team, titled("team2"))
		n.inboxIs(t, "ann is back", ann, "team2 all2 thrice all1 own", 5)
		n.inboxIs(t, "carl", carl, "team2 all2", 2)
		must(t, n.groups.Remove(t.Context(), "team"))
		n.inboxIs(t, "the group is gone", ann, "all2 thrice all1 own", 4)
	})
}

func TestAnothersNoticeIsNotThere(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		ann, bob := n.person(t, "ann"), n.person(t, "bob")
		id := n.publish(t, n.system(t), Target{Users: []string{"ann"}}, titled("x")).ID
		got(n.notices.Get(t.Context(), ann, id))(t)
		yes := true
		for _, wrong := range []int64{id, 0, -1, 999} {
			_, err := n.notices.Get(t.Context(), bob, wrong)
			refused(t, "get", err, models.CodeNotFound)
			_, err = n.notices.MarkOne(t.Context(), bob, wrong, Marking{Read: &yes})
			refused(t, "mark", err, models.CodeNotFound)
		}
		if marked := got(n.notices.Mark(t.Context(), bob, Marking{IDs: []int64{id, 999}, Read: &yes}))(t); marked.Changed != 0 {
			t.Errorf("%+v", marked)
		}
		if rows := n.number(t, "SELECT count(*) FROM notice_states"); rows != 0 {
			t.Errorf("%d marks on another's notice", rows)
		}
	})
}

func TestInboxStatesAndFilters(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		system, ann := n.system(t), n.person(t, "ann")
		to := Target{Users: []string{"ann"}}
		ids := map[string]int64{}
		for _, c := range []models.NoticeContent{
			{Title: "plain", Body: "nothing"}, {Title: "Read", Category: pointer("builds")}, {Title: "archived", Category: pointer("builds")},
			{Title: "both"}, {Title: "old", ExpiresAt: pointer(models.InstantOf(time.Now().Add(time.Hour)))}, {Title: `100%_\`, Body: "Äpfel ÜBER 日本"},
		} {
			ids[c.Title] = n.publish(t, system, to, c).ID
		}
		n.run(t, "UPDATE entries SET expires_at = "+n.db.now()+" WHERE log_offset = ?", ids["old"])
		yes, no := true, false
		mark := func(read, archived *bool, title string) *NoticeView {
			return got(n.notices.MarkOne(t.Context(), ann, ids[title], Marking{Read: read, Archived: archived}))(t)
		}
		if v := mark(&yes, nil, "Read"); v.ReadAt == nil || v.ArchivedAt != nil {
			t.Errorf("%+v", v)
		}
		mark(nil, &yes, "archived")
		if v := mark(&yes, &yes, "both"); v.ReadAt == nil || v.ArchivedAt == nil {
			t.Errorf("%+v", v)
		}
		for _, c := range []struct {
			l    Listing
			want string
		}{
			{Listing{State: "inbox"}, `100%_\ Read plain`},
			{Listing{State: "unread"}, `100%_\ plain`},
			{Listing{State: "archived"}, "both archived"},
			{Listing{State: "all"}, `100%_\ old both archived Read plain`},
			{Listing{State: "all", Category: "builds"}, "archived Read"},
			{Listing{Category: "none"}, ""},
			{Listing{Text: "READ"}, "Read"},
			{Listing{Text: "thing"}, "plain"},
			{Listing{Text: "100%_"}, `100%_\`}, {Listing{Text: "0%_"}, ""}, {Listing{Text: "0%0"}, ""}, {Listing{Text: "p_ain"}, ""}, {Listing{Text: `_\`}, `100%_\`},
			{Listing{Text: "' OR 1=1 --"}, ""}, {Listing{Text: "@me ?"}, ""},
			{Listing{Text: "日本"}, `100%_\`}, {Listing{Text: "Äpfel"}, `100%_\`}, {Listing{Text: "äpfel über"}, `100%_\`},
			{Listing{State: "all", Category: "builds", Text: "read"}, "Read"},
		} {
			if have := n.titles(t, ann, c.l); have != c.want {
				t.Errorf("%+v: %q, want %q", c.l, have, c.want)
			}
		}
		n.inboxIs(t, "marked", ann, `100%_\ Read plain`, 2)
		mark(&no, &no, "both")
		mark(&no, nil, "Read")
		n.inboxIs(t, "unmarked", ann, `100%_\ both Read plain`, 4)
	})
}

// TestNewestSupersedes: of one sender and key the newest stays in each inbox, wherever a page begins.
func TestNewestSupersedes(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		system, ann, bob := n.system(t), n.person(t, "ann"), n.person(t, "bob")
		other := n.system(t)
		under := func(key, format string, args ...any) models.NoticeContent {
			c := titled(format, args...)
			c.CollapseKey = &key
			return c
		}
		both, annOnly := Target{Users: []string{"ann", "bob"}}, Target{Users: []string{"ann"}}
		n.publish(t, system, both, under("k", "k1"))
		n.publish(t, other, both, under("k", "another-sender"))
		n.publish(t, system, both, under("l", "another-key"))
		n.publish(t, system, both, under("k", "k2"))
		n.publish(t, system, both, titled("plain"))
		n.publish(t, system, annOnly, under("k", "k3"))
		n.inboxIs(t, "ann", ann, "k3 plain another-key another-sender", 4)
		n.inboxIs(t, "bob, who did not get the third", bob, "plain k2 another-key another-sender", 4)
		if all := n.titles(t, ann, Listing{State: "all"}); all != "k3 plain k2 another-key another-sender k1" {
			t.Errorf("all: %q", all)
		}
	})
}

// TestSupersededStaysSo: what replaced a notice may be withdrawn or expire; what is over does not come back. One that waits
// for its time has replaced nothing.
func TestSupersededStaysSo(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		system, ann, to := n.system(t), n.person(t, "ann"), Target{Users: []string{"ann"}}
		keyed := func(title string) models.NoticeContent {
			c := titled("%s", title)
			c.CollapseKey = new("disk")
			return c
		}
		n.publish(t, system, to, keyed("first"))
		waits := n.later(t, system, to, time.Hour, keyed("waits"))
		n.inboxIs(t, "one waits", ann, "first", 1)
		must(t, n.notices.Withdraw(t.Context(), system, waits.ID))
		n.inboxIs(t, "it never came", ann, "first", 1)
		second := n.publish(t, system, to, keyed("second"))
		n.inboxIs(t, "replaced", ann, "second", 1)
		must(t, n.notices.Withdraw(t.Context(), system, second.ID))
		n.inboxIs(t, "the newer one was withdrawn", ann, "", 0)
		third := n.publish(t, system, to, keyed("third"))
		n.inboxIs(t, "a third", ann, "third", 1)
		n.publish(t, system, to, keyed("fourth"))
		n.run(t, "UPDATE entries SET expires_at = 1 WHERE log_offset > ?", third.ID)
		n.inboxIs(t, "the newer one has expired", ann, "", 0)
	})
}

func TestListIsOfOneMoment(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		system, ann := n.system(t), n.person(t, "ann")
		const entries = 60
		atOnce(2, func(i int) {
			if i == 0 {
				for k := range entries {
					if _, err := n.notices.Publish(t.Context(), system, Outgoing{To: Target{Users: []string{"ann"}}, Content: titled("%d", k)}); err != nil {
						t.Error(err)
					}
				}
				return
			}
			for range 30 {
				page, err := n.notices.List(t.Context(), ann, Listing{State: "inbox", Limit: 200})
				if err != nil {
					t.Error(err)
					return
				}
				at, _ := journal.ParsePosition(page.Cursor)
				if int64(len(page.Items)) != page.Unread || page.Unread != at.Offset {
					t.Errorf("%d items, %d unread, cursor %s", len(page.Items), page.Unread, page.Cursor)
				}
			}
		})
		if page := got(n.notices.List(t.Context(), ann, Listing{State: "inbox", Limit: entries}))(t); page.Next != "" || len(page.Items) != entries {
			t.Errorf("a page that holds all: next %q, %d items", page.Next, len(page.Items))
		}
		ids := make([]int64, 0, entries)
		for _, item := range got(n.notices.List(t.Context(), ann, Listing{State: "inbox", Limit: 200}))(t).Items {
			ids = append(ids, item.ID)
		}
		slices.Reverse(ids)
		if !slices.IsSorted(ids) || fmt.Sprint(ids[0]) == fmt.Sprint(ids[1]) {
			t.Errorf("%v", ids)
		}
	})
}

// TestMarkUpToTheFurthest: all of the inbox is at or before the greatest offset that a cursor can have.
func TestMarkUpToTheFurthest(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		ann := n.person(t, "ann")
		n.publish(t, n.system(t), Target{Users: []string{"ann"}}, titled("n"))
		at := journal.Position{Epoch: n.journal.Epoch(), Offset: 1<<63 - 1}
		if m := got(n.notices.Mark(t.Context(), ann, Marking{UpTo: &at, Read: new(true)}))(t); m.Changed != 1 {
			t.Errorf("%+v", m)
		}
	})
}
