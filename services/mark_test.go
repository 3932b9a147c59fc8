package services

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"belfry/models"
	"belfry/services/journal"
)

// stateEvents gives what the log tells of a user's marks, with the place of each.
func (n *node) stateEvents(t *testing.T, user *models.User) (events []StateEvent, offsets []int64) {
	t.Helper()
	var rows []struct {
		LogOffset int64
		Payload   string
	}
	must(t, n.db.Write.Raw("SELECT log_offset, payload FROM entries WHERE kind = 'notice_state' AND audiences = ? ORDER BY log_offset", userAudience(user.ID)).Scan(&rows).Error)
	for _, r := range rows {
		var e StateEvent
		must(t, json.Unmarshal([]byte(r.Payload), &e))
		events, offsets = append(events, e), append(offsets, r.LogOffset)
	}
	return events, offsets
}

func TestMark(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		system, ann, bob := n.system(t), n.person(t, "ann"), n.person(t, "bob")
		var ids []int64
		for i := range 4 {
			ids = append(ids, n.publish(t, system, Target{Users: []string{"ann", "bob"}}, titled("n%d", i)).ID)
		}
		yes, no := true, false
		mark := func(m Marking, changed int, unread int64) {
			t.Helper()
			if marked := got(n.notices.Mark(t.Context(), ann, m))(t); marked != (Marked{Changed: changed, Unread: unread}) {
				t.Errorf("%+v: %+v, want %d changed, %d unread", m, marked, changed, unread)
			}
		}
		mark(Marking{IDs: []int64{ids[0], ids[1], ids[0]}, Read: &yes}, 2, 2)
		first := got(n.notices.Get(t.Context(), ann, ids[0]))(t).ReadAt
		mark(Marking{IDs: []int64{ids[0]}, Read: &yes}, 0, 2) // again changes nothing, and the first time stands
		if again := got(n.notices.Get(t.Context(), ann, ids[0]))(t).ReadAt; *again != *first {
			t.Errorf("read at %v, then %v", first, again)
		}
		mark(Marking{IDs: []int64{ids[0], ids[2]}, Read: &no, Archived: &yes}, 2, 1)
		mark(Marking{IDs: []int64{}, Read: &yes}, 0, 1)
		mark(Marking{IDs: ids, Archived: &no}, 2, 3)
		events, _ := n.stateEvents(t, ann)
		var told []string
		for _, e := range events {
			slices.Sort(e.IDs)
			told = append(told, fmt.Sprint(e.State, e.IDs, *e.Unread))
		}
		want := []string{fmt.Sprint("read", ids[:2], 2), fmt.Sprint("unread", []int64{ids[0], ids[2]}, 1), fmt.Sprint("archived", []int64{ids[0], ids[2]}, 1), fmt.Sprint("unarchived", []int64{ids[0], ids[2]}, 3)}
		if !slices.Equal(told, want) {
			t.Errorf("the log tells %v, want %v", told, want)
		}
		n.inboxIs(t, "bob is not concerned", bob, "n3 n2 n1 n0", 4)
		if events, _ := n.stateEvents(t, bob); len(events) != 0 {
			t.Errorf("bob is told %v", events)
		}
	})
}

func TestMarkUpTo(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		system, ann := n.system(t), n.person(t, "ann")
		var done []Published
		for i := range 6 {
			done = append(done, n.publish(t, system, Target{Users: []string{"ann"}}, titled("n%d", i)))
		}
		yes := true
		got(n.notices.MarkOne(t.Context(), ann, done[1].ID, Marking{Archived: &yes}))(t) // archived: not of the inbox
		at, _ := journal.ParsePosition(done[3].Cursor)
		marked := got(n.notices.Mark(t.Context(), ann, Marking{UpTo: &at, Read: &yes}))(t)
		if marked != (Marked{Changed: 3, Unread: 2}) {
			t.Errorf("%+v", marked)
		}
		for i, read := range []bool{true, false, true, true, false, false} {
			if v := got(n.notices.Get(t.Context(), ann, done[i].ID))(t); (v.ReadAt != nil) != read {
				t.Errorf("n%d: read %v", i, v.ReadAt)
			}
		}
		events, _ := n.stateEvents(t, ann)
		if last := events[len(events)-1]; last.UpTo != done[3].Cursor || last.IDs != nil || last.State != "read" || *last.Unread != 2 {
			t.Errorf("%+v", last)
		}
		all := journal.Position{Epoch: at.Epoch, Offset: 1 << 60}
		if marked := got(n.notices.Mark(t.Context(), ann, Marking{UpTo: &all, Archived: &yes}))(t); marked != (Marked{Changed: 5}) {
			t.Errorf("all: %+v", marked)
		}
	})
}

// TestMarkMany: more than fit into one statement.
func TestMarkMany(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		ann := n.person(t, "ann")
		const many = 1200
		payload := got(json.Marshal(titled("x")))(t)
		n.run(t, "UPDATE log_head SET head = ?", many)
		rows := "WITH RECURSIVE i(o) AS (SELECT 1 UNION ALL SELECT o + 1 FROM i WHERE o < ?) "
		n.run(t, rows+"INSERT INTO entries (log_offset, kind, subject, audiences, payload, created_at) SELECT o, 'notice', o, 'user', ?, 0 FROM i", many, string(payload))
		n.run(t, rows+"INSERT INTO recipients (audience, log_offset) SELECT ?, o FROM i", many, userAudience(ann.ID))
		yes := true
		all := n.journal.Position(many)
		if marked := got(n.notices.Mark(t.Context(), ann, Marking{UpTo: &all, Read: &yes}))(t); marked != (Marked{Changed: many}) {
			t.Errorf("%+v", marked)
		}
	})
}

// TestUnreadIsTrueAtItsPlace marks from several tabs while notices come. Each count in the log has to
// be what the log up to there makes it, or a badge that follows the events drifts.
func TestUnreadIsTrueAtItsPlace(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		system, ann := n.system(t), n.person(t, "ann")
		publish := func(i int) int64 {
			done, err := n.notices.Publish(t.Context(), system, Outgoing{To: Target{Users: []string{"ann"}}, Content: titled("%d", i)})
			if err != nil {
				t.Error(err)
			}
			return done.ID
		}
		var ids []int64
		for i := range 12 {
			ids = append(ids, publish(i))
		}
		atOnce(6, func(i int) {
			for k := range 6 {
				if i >= 4 {
					publish(100*i + k)
					continue
				}
				read := (k+i)%3 != 0
				if _, err := n.notices.Mark(t.Context(), ann, Marking{IDs: []int64{ids[2*k], ids[2*k+1]}, Read: &read}); err != nil {
					t.Error(err)
				}
			}
		})
		events, offsets := n.stateEvents(t, ann)
		if len(events) == 0 {
			t.Fatal("no marks")
		}
		read := map[int64]bool{}
		for i, e := range events {
			for _, id := range e.IDs {
				if read[id] == (e.State == "read") {
					t.Errorf("entry %d says again that %d is %s", offsets[i], id, e.State)
				}
				read[id] = e.State == "read"
			}
			unread := n.number(t, "SELECT count(*) FROM entries WHERE kind = 'notice' AND log_offset < ?", offsets[i])
			for _, is := range read {
				if is {
					unread--
				}
			}
			if *e.Unread != unread {
				t.Errorf("entry %d tells %d unread, the log up to it makes %d", offsets[i], *e.Unread, unread)
			}
		}
	})
}

// A cursor from before a restored backup names other notices than those the reader saw.
func TestMarkUpToOfAnotherEpoch(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		ann := n.person(t, "ann")
		n.publish(t, n.system(t), Target{Users: []string{"ann"}}, titled("n"))
		other := journal.Position{Epoch: "another", Offset: 1 << 20}
		yes := true
		_, err := n.notices.Mark(t.Context(), ann, Marking{UpTo: &other, Read: &yes})
		refused(t, "another epoch", err, models.CodeInvalid)
		n.inboxIs(t, "nothing was marked", ann, "n", 1)
	})
}
