package services

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"belfry/internal/testpg"
	"belfry/models"
)

// principal is somebody signed in.
func (n *node) principal(t testing.TB, name string) *Principal {
	t.Helper()
	l, _ := n.signIn(t, name)
	return &Principal{Live: l}
}

// admin is somebody who may administer.
func (n *node) admin(t testing.TB, name string) *Principal {
	t.Helper()
	got(n.users.Add(t.Context(), NewUser{Username: name, Password: password, Role: models.RoleAdmin}))(t)
	return n.principal(t, name)
}

// sent says in words what somebody has sent, the newest first.
func (n *node) sent(t testing.TB, p *Principal) string {
	t.Helper()
	page, _, err := n.notices.Sent(t.Context(), p, 0, 50)
	must(t, err)
	lines := make([]string, len(page))
	for i, s := range page {
		lines[i] = fmt.Sprintf("%s to %v %v %v: %d of %d", s.Title, s.To.Users, s.To.Groups, s.To.Everyone, s.Reads, s.Recipients)
	}
	return strings.Join(lines, "\n")
}

func TestSentCountsWhoHasItNow(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		system := n.system(t)
		people := map[string]*models.User{}
		for _, name := range []string{"ann", "bob", "cid"} {
			people[name] = n.person(t, name)
		}
		got(n.groups.Add(t.Context(), "crew", ""))(t)
		must(t, n.groups.Join(t.Context(), "crew", "ann", "bob"))
		notices := map[string]Published{}
		for title, to := range map[string]Target{"own": {Users: []string{"ann", "cid"}}, "team": {Groups: []string{"crew"}}, "both": {Users: []string{"ann"}, Groups: []string{"crew"}},
			"all": {Everyone: true, Groups: []string{"crew"}, Users: []string{"bob"}}} {
			notices[title] = n.publish(t, system, to, titled("%s", title))
		}
		n.publish(t, n.principal(t, "ann"), Target{Users: []string{"bob"}}, titled("another's"))
		n.person(t, "dee") // joins everything too late
		must(t, n.groups.Join(t.Context(), "crew", "dee"))
		is := func(what string, want map[string]string) {
			t.Helper()
			have := n.sent(t, system)
			for title, line := range want {
				if !strings.Contains(have+"\n", title+" "+line+"\n") {
					t.Errorf("%s: no %s %s in\n%s", what, title, line, have)
				}
			}
			if strings.Count(have, "\n") != 3 {
				t.Errorf("%s:\n%s", what, have)
			}
		}
		is("at first", map[string]string{"own": "to [ann cid] [] false: 0 of 2", "team": "to [] [crew] false: 0 of 2", "both": "to [ann] [crew] false: 0 of 2", "all": "to [bob] [crew] true: 0 of 3"})
		for _, name := range []string{"ann", "bob"} {
			for title, p := range notices {
				if title != "own" || name == "ann" {
					got(n.notices.MarkOne(t.Context(), people[name], p.ID, Marking{Read: new(true)}))(t)
				}
			}
		}
		got(n.notices.MarkOne(t.Context(), people["ann"], notices["all"].ID, Marking{Archived: new(true)}))(t)
		is("read", map[string]string{"own": "to [ann cid] [] false: 1 of 2", "team": "to [] [crew] false: 2 of 2", "both": "to [ann] [crew] false: 2 of 2", "all": "to [bob] [crew] true: 2 of 3"})
		must(t, n.groups.Leave(t.Context(), "crew", "ann", "bob"))
		is("the group is left", map[string]string{"own": "to [ann cid] [] false: 1 of 2", "team": "to [] [crew] false: 0 of 0", "both": "to [ann] [crew] false: 1 of 1", "all": "to [bob] [crew] true: 2 of 3"})
		must(t, n.groups.Join(t.Context(), "crew", "bob"))
		is("one is back, too late", map[string]string{"team": "to [] [crew] false: 0 of 0", "both": "to [ann] [crew] false: 1 of 1"})
		must(t, n.groups.Remove(t.Context(), "crew"))
		must(t, n.users.Delete(t.Context(), "ann"))
		is("ann is gone", map[string]string{"own": "to [cid] [] false: 0 of 1", "team": "to [] [] false: 0 of 0", "both": "to [] [] false: 0 of 0", "all": "to [bob] [] true: 1 of 2"})
	})
}

func TestSentByPages(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		system := n.system(t)
		n.person(t, "ann")
		var want, have []int64
		for i := range 7 {
			want = append([]int64{n.publish(t, system, Target{Users: []string{"ann"}}, titled("n%d", i)).ID}, want...)
		}
		pages := 0
		for before := int64(0); ; pages++ {
			page, next, err := n.notices.Sent(t.Context(), system, before, 3)
			must(t, err)
			for _, s := range page {
				have = append(have, s.ID)
			}
			if before = next; next == 0 {
				break
			}
		}
		if fmt.Sprint(have) != fmt.Sprint(want) || pages != 2 {
			t.Errorf("%v in %d further pages, want %v", have, pages, want)
		}
	})
}

func TestReceipts(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		system, root := n.system(t), n.admin(t, "root")
		got(n.groups.Add(t.Context(), "crew", ""))(t)
		var people []*models.User
		for i := range 7 {
			people = append(people, n.person(t, fmt.Sprintf("p%d", i)))
			must(t, n.groups.Join(t.Context(), "crew", people[i].Username))
		}
		notice := n.publish(t, system, Target{Groups: []string{"crew"}}, titled("x"))
		other := n.publish(t, system, Target{Everyone: true}, titled("y"))
		for _, p := range people[:6] {
			got(n.notices.MarkOne(t.Context(), p, notice.ID, Marking{Read: new(true)}))(t)
			got(n.notices.MarkOne(t.Context(), p, other.ID, Marking{Archived: new(true)}))(t) // archived is not read
		}
		n.run(t, "UPDATE notice_states SET read_at = 1000 WHERE user_id IN ? AND read_at IS NOT NULL", []int64{people[1].ID, people[2].ID, people[3].ID})
		n.run(t, "UPDATE notice_states SET read_at = 2000 WHERE user_id IN ? AND read_at IS NOT NULL", []int64{people[0].ID, people[4].ID, people[5].ID})
		must(t, n.groups.Leave(t.Context(), "crew", "p2"))
		for _, p := range []*Principal{system, root} {
			for _, limit := range []int{1, 2, 5, 50} {
				var have []string
				for after := (*ReceiptsAfter)(nil); ; {
					page, next, err := n.notices.Receipts(t.Context(), p, notice.ID, after, limit)
					must(t, err)
					for _, r := range page {
						have = append(have, fmt.Sprint(r.Username, "@", int64(r.ReadAt)))
					}
					if after = next; next == nil {
						break
					}
				}
				if want := "[p5@2000 p4@2000 p0@2000 p3@1000 p1@1000]"; fmt.Sprint(have) != want {
					t.Errorf("by %d: %v, want %s", limit, have, want)
				}
			}
			if page, _, err := n.notices.Receipts(t.Context(), p, other.ID, nil, 50); err != nil || len(page) != 0 {
				t.Errorf("of the archived one: %v, %v", page, err)
			}
		}
		for who, p := range map[string]*Principal{"a recipient": n.principal(t, "p0"), "another system": n.system(t)} {
			_, _, err := n.notices.Receipts(t.Context(), p, notice.ID, nil, 50)
			refused(t, who, err, models.CodeNotFound)
		}
		_, _, err := n.notices.Receipts(t.Context(), root, notice.ID+100, nil, 50)
		refused(t, "of nothing", err, models.CodeNotFound)
	})
}

// TestWithdrawn: it is gone from inbox and count, streams are told once, and who comes late gets neither.
func TestWithdrawn(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		system, root, ann := n.system(t), n.admin(t, "root"), n.person(t, "ann")
		_, cookie := n.signIn(t, "ann")
		start := n.journal.Position(got(n.journal.Head(t.Context()))(t).Offset).String()
		s := n.stream(t, StreamRequest{Cookie: cookie})
		s.begun(t)
		own, all := n.publish(t, system, Target{Users: []string{"ann"}}, titled("own")), n.publish(t, system, Target{Everyone: true}, titled("all"))
		n.publish(t, system, Target{Users: []string{"ann"}}, titled("kept"))
		for _, title := range []string{"own", "all", "kept"} {
			s.notice(t, title)
		}
		for who, p := range map[string]*Principal{"a recipient": n.principal(t, "ann"), "another system": n.system(t)} {
			refused(t, who, n.notices.Withdraw(t.Context(), p, own.ID), models.CodeNotFound)
		}
		n.inboxIs(t, "before", ann, "kept all own", 3)
		for range 2 {
			must(t, n.notices.Withdraw(t.Context(), system, own.ID))
		}
		n.inboxIs(t, "the own one withdrawn", ann, "kept all", 2)
		for range 2 {
			must(t, n.notices.Withdraw(t.Context(), root, all.ID))
		}
		n.inboxIs(t, "both withdrawn", ann, "kept", 1)
		for id, unread := range map[int64]string{own.ID: "2", all.ID: "null"} {
			want := fmt.Sprintf(`{"ids":[%d],"state":"withdrawn","unread":%s}`, id, unread)
			var told []string
			must(t, n.db.Read.Raw("SELECT payload FROM entries WHERE kind = 'notice_state' AND subject = ?", id).Scan(&told).Error)
			if len(told) != 1 || told[0] != want {
				t.Errorf("told %q, want %s", told, want)
			}
		}
		for _, id := range []int64{own.ID, all.ID} {
			var event StateEvent
			must(t, json.Unmarshal([]byte(s.next(t, "notice_state").data), &event))
			if len(event.IDs) != 1 || event.IDs[0] != id || event.State != "withdrawn" {
				t.Errorf("%+v, want %d", event, id)
			}
		}
		s.quiet(t)
		late := n.stream(t, StreamRequest{Cookie: cookie, Position: start})
		late.begun(t)
		late.notice(t, "kept")
		for range 2 {
			late.next(t, "notice_state")
		}
		late.quiet(t)
		_, err := n.notices.Get(t.Context(), ann, own.ID)
		refused(t, "the withdrawn one", err, models.CodeNotFound)
		page, _, err := n.notices.Sent(t.Context(), system, 0, 50)
		must(t, err)
		if len(page) != 3 || page[0].WithdrawnAt != nil || page[1].WithdrawnAt == nil || page[2].WithdrawnAt == nil {
			t.Errorf("%+v", page)
		}
		if records := n.number(t, "SELECT count(*) FROM audit WHERE action = 'notice.withdrawn' AND actor_name = ''"); records != 1 {
			t.Errorf("%d records of what an administrator withdrew", records)
		}
		refused(t, "nothing", n.notices.Withdraw(t.Context(), root, own.ID+1000), models.CodeNotFound)
	})
}

// TestWithdrawnByOneOfMany: several nodes are asked at once, and the readers are told once.
func TestWithdrawnByOneOfMany(t *testing.T) {
	t.Parallel()
	address := testpg.Database(t)
	a, b := newNode(t, address), newNode(t, address)
	a.person(t, "ann")
	system := a.system(t)
	notice := a.publish(t, system, Target{Users: []string{"ann"}}, titled("x"))
	atOnce(8, func(i int) {
		if err := []*node{a, b}[i%2].notices.Withdraw(t.Context(), system, notice.ID); err != nil {
			t.Error(err)
		}
	})
	if told := a.number(t, "SELECT count(*) FROM entries WHERE kind = 'notice_state'"); told != 1 {
		t.Errorf("told %d times", told)
	}
}
