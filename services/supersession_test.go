package services

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"belfry/internal/testpg"
	"belfry/models"
)

func underKey(key, title string) models.NoticeContent {
	c := titled("%s", title)
	c.CollapseKey = &key
	return c
}

// supersedings gives what the log tells of superseded notices, in its order: "AUDIENCES TITLE… UNREAD".
func (n *node) supersedings(t testing.TB) (told []string) {
	t.Helper()
	var rows []struct{ Audiences, Payload string }
	must(t, n.db.Write.Raw("SELECT audiences, payload FROM entries WHERE kind = 'notice_state' AND payload LIKE '%superseded%' ORDER BY log_offset").Scan(&rows).Error)
	names := map[string]string{}
	var people []struct{ Audience, Name string }
	must(t, n.db.Write.Raw("SELECT 'user:' || id AS audience, username AS name FROM users UNION SELECT 'group:' || id, name FROM groups").Scan(&people).Error)
	for _, p := range people {
		names[p.Audience] = p.Name
	}
	for _, r := range rows {
		var event StateEvent
		must(t, json.Unmarshal([]byte(r.Payload), &event))
		who := strings.Fields(r.Audiences)
		for i, audience := range who {
			if name := names[audience]; name != "" {
				who[i] = name
			}
		}
		slices.Sort(who)
		line := strings.Join(who, "+") + ":"
		for _, id := range event.IDs {
			var title string
			must(t, n.db.Write.Raw("SELECT payload FROM entries WHERE kind = 'notice' AND subject = ?", id).Scan(&title).Error)
			var c models.NoticeContent
			must(t, json.Unmarshal([]byte(title), &c))
			line += " " + c.Title
		}
		if event.Unread != nil {
			line += fmt.Sprintf(", %d unread", *event.Unread)
		}
		told = append(told, line)
	}
	return told
}

// TestSupersededIsTold: each who had the older one, and nobody else, is told that it is over.
func TestSupersededIsTold(t *testing.T) {
	users := func(names ...string) Target { return Target{Users: names} }
	groups := func(names ...string) Target { return Target{Groups: names} }
	all := Target{Everyone: true}
	cases := []struct {
		name  string
		older []Target
		newer Target
		told  []string
	}{
		{"the same person", []Target{users("ann")}, users("ann"), []string{"ann: 0, 1 unread"}},
		{"another person", []Target{users("bob")}, users("ann"), nil},
		{"one of two", []Target{users("ann", "bob")}, users("bob"), []string{"bob: 0, 1 unread"}},
		{"both, each of another time", []Target{users("ann"), users("bob")}, users("ann", "bob"), []string{"bob: 1, 1 unread", "ann: 0, 1 unread"}},
		{"only the newest before it", []Target{users("ann"), users("ann")}, users("ann"), []string{"ann: 0, 1 unread", "ann: 1, 1 unread"}},
		{"the same group", []Target{groups("crew")}, groups("crew"), []string{"crew: 0"}},
		{"a group, then one in it", []Target{groups("crew")}, users("ann", "cat"), []string{"ann: 0, 1 unread"}},
		{"one, then a group", []Target{users("ann", "cat")}, groups("crew"), []string{"ann: 0, 1 unread"}},
		{"two groups that share one", []Target{groups("crew")}, groups("team"), []string{"bob: 0, 1 unread"}},
		{"who joined since", []Target{groups("late")}, users("dan"), nil},
		{"everyone twice", []Target{all}, all, []string{"everyone: 0"}},
		{"everyone, then some", []Target{all}, Target{Users: []string{"cat"}, Groups: []string{"crew"}}, []string{"cat+crew: 0"}},
		{"some, then everyone", []Target{users("ann"), all, users("ann"), groups("team")}, all,
			[]string{"ann: 0, 1 unread", "ann: 1, 1 unread", "team: 1", "team: 3", "ann: 2, 1 unread", "everyone: 1"}},
		{"one three times, then everyone", []Target{users("ann"), users("ann"), users("ann")}, all, []string{"ann: 0, 1 unread", "ann: 1, 1 unread", "ann: 2, 1 unread"}},
	}
	onBoth(t, func(t *testing.T, n *node) {
		system := n.system(t)
		for _, name := range []string{"ann", "bob", "cat", "dan"} {
			n.person(t, name)
		}
		for group, members := range map[string][]string{"crew": {"ann", "bob"}, "team": {"bob", "cat"}, "late": nil} {
			got(n.groups.Add(t.Context(), group, ""))(t)
			if len(members) > 0 {
				must(t, n.groups.Join(t.Context(), group, members...))
			}
		}
		for _, c := range cases {
			for i, to := range c.older {
				n.publish(t, system, to, underKey(c.name, fmt.Sprint(i)))
				must(t, n.notices.Supersede(t.Context()))
			}
			if c.name == "who joined since" {
				must(t, n.groups.Join(t.Context(), "late", "dan"))
			}
			n.publish(t, system, c.newer, underKey(c.name, "newest"))
			for range 2 { // the second time there is nothing left to tell
				must(t, n.notices.Supersede(t.Context()))
			}
			if told := n.supersedings(t); !slices.Equal(told, c.told) {
				t.Errorf("%s: told %q, want %q", c.name, told, c.told)
			}
			n.run(t, "DELETE FROM entries WHERE kind IN ('notice', 'notice_state')")
			n.run(t, "DELETE FROM recipients")
		}
		if left := n.number(t, "SELECT count(*) FROM supersessions"); left != 0 {
			t.Errorf("%d are left", left)
		}
	})
}

// TestSupersededForWhoJoinedBetween: the newest before it is, for one who joined its group since the group's last one, what
// reached them before they joined.
func TestSupersededForWhoJoinedBetween(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		system := n.system(t)
		for _, name := range []string{"ann", "cat", "dan", "eve"} {
			n.person(t, name)
		}
		for group, member := range map[string]string{"crew": "ann", "team": "eve"} {
			got(n.groups.Add(t.Context(), group, ""))(t)
			must(t, n.groups.Join(t.Context(), group, member))
		}
		publish := func(title string, to Target) { n.publish(t, system, to, underKey("k", title)) }
		publish("0", Target{Users: []string{"cat", "dan", "eve"}})
		publish("1", Target{Groups: []string{"crew", "team"}, Users: []string{"cat"}})
		must(t, n.notices.Supersede(t.Context()))
		must(t, n.groups.Join(t.Context(), "crew", "dan", "cat", "eve")) // the last two had the second, by name and by a group
		publish("2", Target{Groups: []string{"crew"}})
		must(t, n.notices.Supersede(t.Context()))
		n.inboxIs(t, "dan", got(n.users.Find(t.Context(), "dan"))(t), "2", 1)
		want := []string{"cat+eve: 0", "crew: 1", "dan: 0, 1 unread"}
		if told := n.supersedings(t); !slices.Equal(told, want) {
			t.Errorf("told %q, want %q", told, want)
		}
	})
}

// TestSupersededOnTheStream: the event follows the newer notice, live and replayed, with the count after it; of several that
// came at once it tells at once, and of none that is over already, or another's.
func TestSupersededOnTheStream(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		system, other := n.system(t), n.system(t)
		n.person(t, "ann")
		_, cookie := n.signIn(t, "ann")
		to := Target{Users: []string{"ann"}}
		s := n.stream(t, StreamRequest{Cookie: cookie})
		hello := s.begun(t)
		n.publish(t, other, to, underKey("k", "another's"))
		n.publish(t, system, to, underKey("l", "another key"))
		first := n.publish(t, system, to, underKey("k", "1"))
		must(t, n.notices.Supersede(t.Context()))
		second := n.publish(t, system, to, underKey("k", "2"))
		gone := n.publish(t, system, to, underKey("k", "withdrawn"))
		must(t, n.notices.Withdraw(t.Context(), system, gone.ID))
		over := underKey("k", "expired")
		over.ExpiresAt = new(models.InstantOf(time.Now().Add(time.Hour)))
		n.publish(t, system, to, over)
		n.run(t, "UPDATE entries SET expires_at = 1 WHERE expires_at IS NOT NULL")
		n.publish(t, system, to, underKey("k", "newest"))
		must(t, n.notices.Supersede(t.Context()))
		want := fmt.Sprintf(`{"ids":[%d,%d],"state":"superseded","unread":3}`, first.ID, second.ID)
		for _, title := range []string{"another's", "another key", "1", "2", "withdrawn"} {
			s.notice(t, title)
		}
		s.next(t, "notice_state") // of the withdrawal
		s.notice(t, "expired")
		s.notice(t, "newest")
		if e := s.next(t, "notice_state"); e.data != want {
			t.Errorf("%s, want %s", e.data, want)
		}
		again := n.stream(t, StreamRequest{Cookie: cookie, Position: hello.Head})
		again.begun(t)
		for _, title := range []string{"another's", "another key", "1", "2"} {
			again.notice(t, title)
		}
		again.next(t, "notice_state")
		again.notice(t, "expired") // memory was not told of the statement above
		again.notice(t, "newest")
		if e := again.next(t, "notice_state"); e.data != want {
			t.Errorf("replayed: %s, want %s", e.data, want)
		}
	})
}

// TestSupersededIsToldByOneNode: both find it, and what a node left that failed is told by another.
func TestSupersededIsToldByOneNode(t *testing.T) {
	t.Parallel()
	address := testpg.Database(t)
	a, b := newNode(t, address), newNode(t, address)
	system := a.system(t)
	a.person(t, "ann")
	const many = 5 * supersessionBatch
	for i := range many {
		a.publish(t, system, Target{Users: []string{"ann"}}, underKey(fmt.Sprint("k", i%3), fmt.Sprint(i)))
	}
	atOnce(4, func(i int) {
		if err := []*node{a, b}[i%2].notices.Supersede(t.Context()); err != nil {
			t.Error(err)
		}
	})
	must(t, b.notices.Supersede(t.Context()))
	told := map[string]int{}
	for _, line := range a.supersedings(t) {
		titles, _, _ := strings.Cut(strings.TrimPrefix(line, "ann: "), ",")
		for _, title := range strings.Fields(titles) {
			told[title]++
		}
	}
	for i := range many - 3 {
		if told[fmt.Sprint(i)] != 1 {
			t.Errorf("%d was told of %d times", i, told[fmt.Sprint(i)])
		}
	}
	if len(told) != many-3 {
		t.Errorf("%d were told of, want %d", len(told), many-3)
	}
}

// TestSupersededIsToldUnasked: what was published is looked at without a request, and before the next sweep.
func TestSupersededIsToldUnasked(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		system := n.system(t)
		n.person(t, "ann")
		_, cookie := n.signIn(t, "ann")
		to := Target{Users: []string{"ann"}}
		n.publish(t, system, to, titled("plain"))
		select {
		case <-n.notices.keyed:
			t.Error("a notice without a key is looked at")
		default:
		}
		n.publish(t, system, to, underKey("k", "older"))
		select {
		case <-n.notices.keyed:
		default:
			t.Error("a notice with a key waits for the sweep")
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); n.house.supersede(ctx) }()
		defer func() { cancel(); <-done }()
		s := n.stream(t, StreamRequest{Cookie: cookie})
		s.begun(t)
		n.publish(t, system, to, underKey("k", "newer"))
		s.notice(t, "newer")
		s.next(t, "notice_state")
	})
}
