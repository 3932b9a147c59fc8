package services

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"belfry/models"
	"belfry/services/journal"
)

// reader does what a person and the clock do, in a random order that the seed repeats, and remembers what each notice is to
// be by it.
type reader struct {
	*node
	user                    *models.User
	system                  *Principal
	random                  *rand.Rand
	sent                    []Published
	read, archived, snoozed map[int64]bool
	withdrawn               map[int64]bool
	all, inbox              []NoticeView // as it was shown last
}

func (r *reader) step(t *testing.T, step int) {
	yesOrNo := r.random.IntN(2) == 0
	some := make([]int64, 1+r.random.IntN(3))
	for i := range some {
		if len(r.sent) > 0 {
			some[i] = r.sent[r.random.IntN(len(r.sent))].ID
		}
	}
	switch what := r.random.IntN(17); {
	case what < 4 || what == 16 || len(r.sent) == 0:
		to := []Target{{Users: []string{"ann"}}, {Groups: []string{"crew"}}, {Everyone: true}, {Users: []string{"ann"}, Everyone: true}}[r.random.IntN(4)]
		content := titled("n%d", step)
		if r.random.IntN(6) == 0 {
			content.CollapseKey = new("same")
		}
		o := Outgoing{To: to, Content: content}
		if what == 16 {
			o.DeliverAt = later(time.Hour)
		}
		done := got(r.notices.Publish(t.Context(), r.system, o))(t)
		done.Cursor = r.journal.Position(done.ID).String() // a place in any case
		r.sent = append(r.sent, done)
	case what < 6:
		r.mark(t, Marking{IDs: some, Read: &yesOrNo})
	case what < 7:
		r.mark(t, Marking{IDs: some, Archived: &yesOrNo})
	case what < 9:
		at, _ := journal.ParsePosition(r.sent[r.random.IntN(len(r.sent))].Cursor)
		r.mark(t, Marking{UpTo: &at, Read: &yesOrNo})
	case what < 11:
		r.mark(t, Marking{IDs: some, Snooze: &Snooze{Until: later(time.Duration(1+r.random.IntN(5)) * time.Hour)}})
	case what < 12 && yesOrNo:
		r.mark(t, Marking{IDs: some, Snooze: &Snooze{}})
	case what < 12:
		r.endSnoozes(t, later(3*time.Hour))
		for _, id := range r.due(t) {
			r.snoozed[id] = false
		}
	case what < 13:
		must(t, r.notices.Wake(t.Context()))
	case what == 14:
		must(t, r.notices.Withdraw(t.Context(), r.system, some[0]))
		r.withdrawn[some[0]] = true
	case what == 15:
		r.hourLater(t)
	case yesOrNo:
		must(t, r.groups.Leave(t.Context(), "crew", "ann"))
	default:
		must(t, r.groups.Join(t.Context(), "crew", "ann"))
	}
}

// mark changes what the person sees among the given, or of the inbox.
func (r *reader) mark(t *testing.T, m Marking) {
	t.Helper()
	shown := r.all
	if m.UpTo != nil {
		shown = r.inbox
	}
	got(r.notices.Mark(t.Context(), r.user, m))(t)
	for _, v := range shown {
		at, _ := journal.ParsePosition(v.Cursor)
		if (m.UpTo == nil && !slices.Contains(m.IDs, v.ID)) || (m.UpTo != nil && at.Offset > m.UpTo.Offset) {
			continue
		}
		if m.Read != nil {
			r.read[v.ID] = *m.Read
		}
		if m.Archived != nil {
			r.archived[v.ID] = *m.Archived
			r.snoozed[v.ID] = r.snoozed[v.ID] && !*m.Archived
		}
		if m.Snooze != nil {
			r.snoozed[v.ID] = m.Snooze.Until != nil
			r.archived[v.ID] = r.archived[v.ID] && !r.snoozed[v.ID]
		}
	}
}

// look holds what each list shows against what is remembered, and gives the number of unread notices as a look at the
// whole inbox gives it, without the bound below which the count does not look.
func (r *reader) look(t *testing.T) (unread int64) {
	t.Helper()
	for _, state := range []string{"archived", "snoozed", "unread", "inbox", "all"} {
		items := got(r.notices.List(t.Context(), r.user, Listing{State: state, Limit: 1 << 20}))(t).Items
		for _, v := range items {
			read, archived, snoozed := r.read[v.ID], r.archived[v.ID], r.snoozed[v.ID]
			away := archived || snoozed
			if r.withdrawn[v.ID] {
				t.Fatalf("%s shows %d, which was withdrawn", state, v.ID)
			}
			fits := map[string]bool{"all": true, "archived": archived, "snoozed": snoozed, "unread": !away && !read, "inbox": !away}[state]
			if !fits || (v.ReadAt != nil) != read || (v.ArchivedAt != nil) != archived || (v.SnoozedUntil != nil) != snoozed {
				t.Fatalf("%s shows %+v; read %v, archived %v, snoozed %v", state, v, read, archived, snoozed)
			}
		}
		switch state {
		case "unread":
			unread = int64(len(items))
		case "inbox":
			r.inbox = items
		case "all":
			r.all = items
		}
	}
	return unread
}

// TestUnreadCountIsTrueAfterAnySteps compares the count after each step, and what a stream's hello would say from memory.
func TestUnreadCountIsTrueAfterAnySteps(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		const seed, steps = 11, 300
		n.notices.recountsUpTo = 0
		ann := n.person(t, "ann")
		r := &reader{node: n, user: ann, system: n.system(t), random: rand.New(rand.NewPCG(seed, seed)),
			read: map[int64]bool{}, archived: map[int64]bool{}, snoozed: map[int64]bool{}, withdrawn: map[int64]bool{}}
		got(n.groups.Add(t.Context(), "crew", ""))(t)
		must(t, n.groups.Join(t.Context(), "crew", "ann"))
		fromMemory := 0
		for step := range steps {
			r.step(t, step)
			want := r.look(t)
			count, _, err := n.notices.unread(n.db.Write.WithContext(t.Context()), ann)
			must(t, err)
			if count != want {
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

// due gives the notices whose snooze has ended without being told.
func (n *node) due(t *testing.T) (ids []int64) {
	t.Helper()
	must(t, n.db.Write.Raw("SELECT notice_id FROM notice_states WHERE snoozed_until <= "+n.db.now()).Scan(&ids).Error)
	return ids
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
		got(n.notices.MarkOne(t.Context(), ann, newer.ID, Marking{Read: new(true)}))(t)
		n.inboxIs(t, "the newer one is read", ann, "alert", 0)
		must(t, n.groups.Leave(t.Context(), "crew", "ann"))
		n.inboxIs(t, "the older one is back", ann, "alert", 1)
	})
}
