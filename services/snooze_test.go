package services

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"belfry/internal/testpg"
	"belfry/models"
)

func later(d time.Duration) *models.Instant { return new(models.InstantOf(time.Now().Add(d))) }

func (n *node) snooze(t *testing.T, user *models.User, until *models.Instant, ids ...int64) Marked {
	t.Helper()
	return got(n.notices.Mark(t.Context(), user, Marking{IDs: ids, Snooze: &Snooze{Until: until}}))(t)
}

// endSnoozes lets the time pass that ends those snoozes which end before the given one.
func (n *node) endSnoozes(t *testing.T, before *models.Instant) {
	t.Helper()
	n.run(t, "UPDATE notice_states SET snoozed_until = "+n.db.now()+" - 1 WHERE snoozed_until < ?", before)
}

func TestSnooze(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		system, ann, bob := n.system(t), n.person(t, "ann"), n.person(t, "bob")
		var ids []int64
		for i := range 4 {
			ids = append(ids, n.publish(t, system, Target{Users: []string{"ann", "bob"}}, titled("n%d", i)).ID)
		}
		lists := func(what, snoozed, all string) {
			t.Helper()
			for state, want := range map[string]string{"snoozed": snoozed, "all": all} {
				if have := n.titles(t, ann, Listing{State: state}); have != want {
					t.Errorf("%s: %s has %q, want %q", what, state, have, want)
				}
			}
		}
		until := later(time.Hour)
		if marked := n.snooze(t, ann, until, ids[1], ids[2]); marked != (Marked{Changed: 2, Unread: 2}) {
			t.Errorf("%+v", marked)
		}
		if marked := n.snooze(t, ann, until, ids[1]); marked != (Marked{Changed: 0, Unread: 2}) {
			t.Errorf("again: %+v", marked)
		}
		n.inboxIs(t, "put off", ann, "n3 n0", 2)
		lists("put off", "n2 n1", "n3 n2 n1 n0")
		if v := got(n.notices.Get(t.Context(), ann, ids[1]))(t); v.SnoozedUntil == nil || *v.SnoozedUntil != *until {
			t.Errorf("snoozed until %v, want %v", v.SnoozedUntil, until)
		}
		n.inboxIs(t, "bob is not concerned", bob, "n3 n2 n1 n0", 4)

		n.snooze(t, ann, nil, ids[1])
		n.inboxIs(t, "one is brought back", ann, "n3 n1 n0", 3)
		got(n.notices.MarkOne(t.Context(), ann, ids[2], Marking{Archived: new(true)}))(t)
		lists("archived", "", "n3 n2 n1 n0")
		if v := got(n.notices.MarkOne(t.Context(), ann, ids[2], Marking{Archived: new(false)}))(t); v.SnoozedUntil != nil {
			t.Errorf("archived and brought back, it is put off until %v", v.SnoozedUntil)
		}
		n.inboxIs(t, "archived and brought back", ann, "n3 n2 n1 n0", 4)

		got(n.notices.Mark(t.Context(), ann, Marking{IDs: ids, Archived: new(true)}))(t)
		n.snooze(t, ann, until, ids[0])
		lists("put off from the archive", "n0", "n3 n2 n1 n0")
		n.endSnoozes(t, later(models.MaxSnooze))
		n.inboxIs(t, "by the clock", ann, "n0", 1)
		if v := got(n.notices.Get(t.Context(), ann, ids[0]))(t); v.SnoozedUntil != nil || v.ArchivedAt != nil {
			t.Errorf("back: %+v", v)
		}
		var told []string
		events, _ := n.stateEvents(t, ann)
		for _, e := range events {
			told = append(told, fmt.Sprint(e.State, len(e.IDs), *e.Unread, e.SnoozedUntil != nil))
		}
		want := "[snoozed2 2 true unsnoozed1 3 false archived1 3 false unarchived1 4 false archived4 0 false unarchived1 0 false snoozed1 0 true]"
		if fmt.Sprint(told) != want {
			t.Errorf("the log tells %v, want %v", told, want)
		}
	})
}

func TestSnoozeRefused(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		ann := n.person(t, "ann")
		done := n.publish(t, n.system(t), Target{Users: []string{"ann"}}, titled("n"))
		at := n.journal.Position(done.ID)
		for what, m := range map[string]Marking{
			"past":         {IDs: []int64{done.ID}, Snooze: &Snooze{Until: later(-time.Minute)}},
			"too far":      {IDs: []int64{done.ID}, Snooze: &Snooze{Until: later(models.MaxSnooze + time.Hour)}},
			"archived":     {IDs: []int64{done.ID}, Archived: new(true), Snooze: &Snooze{Until: later(time.Hour)}},
			"up to":        {UpTo: &at, Snooze: &Snooze{Until: later(time.Hour)}},
			"back, up to":  {UpTo: &at, Snooze: &Snooze{}},
			"year of 1970": {IDs: []int64{done.ID}, Snooze: &Snooze{Until: new(models.Instant(0))}},
		} {
			_, err := n.notices.Mark(t.Context(), ann, m)
			if e := refused(t, what, err, models.CodeInvalid); len(e.Fields) != 1 || e.Fields[0].Field != "snoozed_until" {
				t.Errorf("%s: %+v", what, e.Fields)
			}
		}
		n.snooze(t, ann, later(models.MaxSnooze-time.Hour), done.ID)
		n.inboxIs(t, "nearly a year", ann, "", 0)
	})
}

// TestSnoozeEndsOnce: that a notice is back is told once, with the count, and only if it is.
func TestSnoozeEndsOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		system, ann := n.system(t), n.person(t, "ann")
		_, cookie := n.signIn(t, "ann")
		keyed := titled("superseded")
		keyed.CollapseKey = new("k")
		fading := titled("expired")
		fading.ExpiresAt = later(time.Hour)
		var ids []int64
		for _, c := range []models.NoticeContent{titled("unread"), titled("read"), keyed, fading, titled("withdrawn"), titled("not due")} {
			ids = append(ids, n.publish(t, system, Target{Users: []string{"ann"}}, c).ID)
		}
		n.snooze(t, ann, later(time.Hour), ids...)
		keyed.Title = "newer"
		n.publish(t, system, Target{Users: []string{"ann"}}, keyed)
		n.inboxIs(t, "a newer one takes the place of one put off", ann, "newer", 1)
		if have := n.titles(t, ann, Listing{State: "snoozed"}); have != "not due withdrawn expired read unread" {
			t.Errorf("snoozed: %q", have)
		}
		got(n.notices.MarkOne(t.Context(), ann, ids[1], Marking{Read: new(true)}))(t)
		n.run(t, "UPDATE entries SET expires_at = 1, expired_at = 1 WHERE log_offset = ?", ids[3])
		n.run(t, "UPDATE entries SET withdrawn_at = 1 WHERE log_offset = ?", ids[4])
		s := n.stream(t, StreamRequest{Cookie: cookie})
		s.begun(t)
		must(t, n.notices.Wake(t.Context())) // it is not yet time
		n.run(t, "UPDATE notice_states SET snoozed_until = 1 WHERE notice_id < ?", ids[5])
		n.inboxIs(t, "before it is told", ann, "newer read unread", 2)
		for range 2 {
			must(t, n.notices.Wake(t.Context()))
		}
		var event StateEvent
		must(t, json.Unmarshal([]byte(s.next(t, "notice_state").data), &event))
		if fmt.Sprint(event.State, event.IDs, *event.Unread) != fmt.Sprint("unsnoozed", []int64{ids[1], ids[0]}, 2) {
			t.Errorf("%+v", event)
		}
		s.quiet(t)
		n.inboxIs(t, "after it was told", ann, "newer read unread", 2)
		if left := n.number(t, "SELECT count(*) FROM notice_states WHERE snoozed_until IS NOT NULL"); left != 1 {
			t.Errorf("%d are put off, want 1", left)
		}
	})
}

// TestMarkWakesFirst: who follows the entries has what came back in the inbox before the inbox is marked as a whole.
func TestMarkWakesFirst(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		ann := n.person(t, "ann")
		done := n.publish(t, n.system(t), Target{Users: []string{"ann"}}, titled("n"))
		n.snooze(t, ann, later(time.Hour), done.ID)
		n.endSnoozes(t, later(models.MaxSnooze))
		at := n.journal.Position(done.ID)
		if marked := got(n.notices.Mark(t.Context(), ann, Marking{UpTo: &at, Read: new(true)}))(t); marked != (Marked{Changed: 1}) {
			t.Errorf("%+v", marked)
		}
		must(t, n.notices.Wake(t.Context()))
		events, _ := n.stateEvents(t, ann)
		if len(events) != 3 || events[1].State != "unsnoozed" || events[2].State != "read" {
			t.Errorf("%+v", events)
		}
	})
}

// TestSnoozeEndIsToldByOneNode: both find it due, while somebody goes on marking.
func TestSnoozeEndIsToldByOneNode(t *testing.T) {
	t.Parallel()
	address := testpg.Database(t)
	a, b := newNode(t, address), newNode(t, address)
	system := a.system(t)
	const people = 2*wakePeople + 3
	users := make([]*models.User, people)
	for i := range users {
		name := fmt.Sprintf("p%d", i)
		users[i] = a.person(t, name)
		first := a.publish(t, system, Target{Users: []string{name}}, titled("n"))
		second := a.publish(t, system, Target{Users: []string{name}}, titled("n"))
		a.snooze(t, users[i], later(time.Hour), first.ID, second.ID)
	}
	a.endSnoozes(t, later(models.MaxSnooze))
	atOnce(5, func(i int) {
		node := []*node{a, b}[i%2]
		if i == 4 {
			for _, u := range users {
				if _, err := node.notices.Mark(t.Context(), u, Marking{IDs: []int64{1}, Read: new(true)}); err != nil {
					t.Error(err)
				}
			}
			return
		}
		if err := node.notices.Wake(t.Context()); err != nil {
			t.Error(err)
		}
	})
	for _, u := range users {
		told := 0
		events, _ := a.stateEvents(t, u)
		for _, e := range events {
			if e.State == "unsnoozed" {
				told += len(e.IDs)
			}
		}
		if told != 2 {
			t.Errorf("%s is told of %d, want 2", u.Username, told)
		}
	}
}

// TestSummaryHoldsUntilASnoozeEnds: by the entry that tells of the snooze, and when read from the database.
func TestSummaryHoldsUntilASnoozeEnds(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		system, ann := n.system(t), n.person(t, "ann")
		var ids []int64
		for i := range 3 {
			ids = append(ids, n.publish(t, system, Target{Users: []string{"ann"}}, titled("n%d", i)).ID)
		}
		known := func() bool {
			_, soon := n.summaries.get(ann.ID, n.journal.Trimmed(), models.InstantOf(time.Now().Add(30*time.Minute)))
			_, then := n.summaries.get(ann.ID, n.journal.Trimmed(), models.InstantOf(time.Now().Add(2*time.Hour)))
			return soon && !then
		}
		must(t, n.hub.Await(t.Context(), n.journal.Committed()))
		got(n.summarise(t.Context(), ann, 0))(t)
		n.snooze(t, ann, later(time.Hour), ids[0], ids[1])
		must(t, n.hub.Await(t.Context(), n.journal.Committed()))
		if !known() {
			t.Error("by the entry, the count does not hold until the snooze ends")
		}
		n.snooze(t, ann, nil, ids[1])
		must(t, n.hub.Await(t.Context(), n.journal.Committed()))
		n.journal.Forget()
		if read := got(n.summarise(t.Context(), ann, 0))(t); read.Unread != 2 || !known() {
			t.Errorf("from the database, the count does not hold until the snooze ends: %+v", read)
		}
	})
}

// TestPaced: counts that take long go out one in a transaction, and the others soon many.
func TestPaced(t *testing.T) {
	t.Parallel()
	size, sizes := 1, []int{}
	for _, took := range []time.Duration{0, 0, 0, countingFor, 0, time.Second, 0, 0} {
		size = paced(size, 10, took)
		sizes = append(sizes, size)
	}
	if want := []int{2, 4, 8, 10, 10, 1, 2, 4}; !slices.Equal(sizes, want) {
		t.Errorf("%v, want %v", sizes, want)
	}
}
