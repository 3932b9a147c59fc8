package services

import (
	"math/rand/v2"
	"testing"
	"time"

	"belfry/models"
	"belfry/services/journal"
)

// countedSlowly is the number of unread notices as a look at the whole inbox gives it, without the bound
// below which the count does not look.
func (n *node) countedSlowly(t *testing.T, user *models.User) int64 {
	t.Helper()
	page := got(n.notices.List(t.Context(), user, Listing{State: "unread", Limit: 1 << 20}))(t)
	return int64(len(page.Items))
}

// TestUnreadCountIsTrueAfterAnySteps does what people do, in a random order that the seed repeats, and
// compares the count after each step, and what a stream's hello would say from memory.
func TestUnreadCountIsTrueAfterAnySteps(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		const seed, steps = 11, 250
		random := rand.New(rand.NewPCG(seed, seed))
		system, ann := n.system(t), n.person(t, "ann")
		got(n.groups.Add(t.Context(), "crew", ""))(t)
		must(t, n.groups.Join(t.Context(), "crew", "ann"))
		fromMemory := 0
		var sent []Published
		some := func() []int64 {
			ids := make([]int64, 1+random.IntN(3))
			for i := range ids {
				ids[i] = sent[random.IntN(len(sent))].ID
			}
			return ids
		}
		mark := func(m Marking) { got(n.notices.Mark(t.Context(), ann, m))(t) }
		for step := range steps {
			yesOrNo := random.IntN(2) == 0
			switch what := random.IntN(10); {
			case what < 4 || len(sent) == 0:
				to := []Target{{Users: []string{"ann"}}, {Groups: []string{"crew"}}, {Everyone: true}, {Users: []string{"ann"}, Everyone: true}}[random.IntN(4)]
				content := titled("n%d", step)
				if random.IntN(6) == 0 {
					content.CollapseKey = new("same")
				}
				sent = append(sent, n.publish(t, system, to, content))
			case what < 6:
				mark(Marking{IDs: some(), Read: &yesOrNo})
			case what < 7:
				mark(Marking{IDs: some(), Archived: &yesOrNo})
			case what < 9:
				at, _ := journal.ParsePosition(sent[random.IntN(len(sent))].Cursor)
				mark(Marking{UpTo: &at, Read: &yesOrNo})
			case yesOrNo:
				must(t, n.groups.Leave(t.Context(), "crew", "ann"))
			default:
				must(t, n.groups.Join(t.Context(), "crew", "ann"))
			}
			count, _, err := n.notices.unread(n.db.Write.WithContext(t.Context()), ann)
			must(t, err)
			if want := n.countedSlowly(t, ann); count != want {
				t.Fatalf("seed %d, step %d: counted %d, there are %d", seed, step, count, want)
			}
			must(t, n.hub.Await(t.Context(), n.journal.Committed()))
			if _, known := n.summaries.get(ann.ID, n.journal.Trimmed(), models.InstantOf(time.Now())); known {
				fromMemory++
			}
			if said := got(n.summarise(t.Context(), ann, 0))(t); said.Unread != count || said.Head.Offset != n.hub.Offset() {
				t.Fatalf("seed %d, step %d: a hello says %d as of %d, there are %d as of %d", seed, step, said.Unread, said.Head.Offset, count, n.hub.Offset())
			}
		}
		if fromMemory < steps/3 {
			t.Errorf("%d of %d counts came from memory", fromMemory, steps)
		}
	})
}

// What superseded an unread notice may go out of sight, long after the count last looked below it.
func TestUnreadCountFindsWhatComesBack(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		system, ann := n.system(t), n.person(t, "ann")
		got(n.groups.Add(t.Context(), "crew", ""))(t)
		must(t, n.groups.Join(t.Context(), "crew", "ann"))
		alert := titled("alert")
		alert.CollapseKey = new("disk")
		n.publish(t, system, Target{Users: []string{"ann"}}, alert)
		newer := n.publish(t, system, Target{Groups: []string{"crew"}}, alert)
		got(n.notices.MarkOne(t.Context(), ann, newer.ID, new(true), nil))(t)
		n.inboxIs(t, "the newer one is read", ann, "alert", 0)
		must(t, n.groups.Leave(t.Context(), "crew", "ann"))
		n.inboxIs(t, "the older one is back", ann, "alert", 1)
	})
}
