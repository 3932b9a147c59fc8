package services

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"belfry/internal/testpg"
	"belfry/models"
)

// in is a moment that lies so far ahead of the database's clock.
func (n *node) in(t testing.TB, ahead time.Duration) *models.Instant {
	t.Helper()
	at := got(n.db.clock(t.Context()))(t) + models.Instant(ahead.Milliseconds())
	return &at
}

// later schedules a notice.
func (n *node) later(t testing.TB, p *Principal, to Target, ahead time.Duration, c models.NoticeContent) Published {
	t.Helper()
	return got(n.notices.Publish(t.Context(), p, Outgoing{To: to, Content: c, DeliverAt: n.in(t, ahead)}))(t)
}

// hourLater lets time pass for what is scheduled.
func (n *node) hourLater(t testing.TB) {
	t.Helper()
	n.run(t, "UPDATE schedules SET deliver_at = deliver_at - ?", time.Hour.Milliseconds())
	got(n.notices.Release(t.Context()))(t)
}

// TestScheduled: until its time it is in nobody's inbox and on no stream, but in the sent box; then it is a notice like others,
// for those who are there then.
func TestScheduled(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		system, ann := n.system(t), n.person(t, "ann")
		got(n.groups.Add(t.Context(), "crew", ""))(t)
		_, cookie := n.signIn(t, "ann")
		s := n.stream(t, StreamRequest{Cookie: cookie})
		s.begun(t)
		to := Target{Groups: []string{"crew"}}
		c := titled("later")
		c.ExpiresAt = n.in(t, 2*time.Hour)
		waiting := n.later(t, system, to, time.Hour, c)
		if waiting.ID == 0 || waiting.Cursor != "" {
			t.Fatalf("%+v", waiting)
		}
		must(t, n.groups.Join(t.Context(), "crew", "ann")) // after it was scheduled, before it is released
		if wait := got(n.notices.Release(t.Context()))(t); wait != releaseLook {
			t.Errorf("the next look is in %v", wait)
		}
		n.inboxIs(t, "before its time", ann, "", 0)
		page, _, err := n.notices.Sent(t.Context(), system, 0, 50)
		must(t, err)
		if len(page) != 1 || page[0].ID != waiting.ID || page[0].Cursor != nil || page[0].DeliverAt == nil || page[0].Recipients != 1 || page[0].To.Groups[0] != "crew" {
			t.Errorf("%+v", page)
		}
		n.publish(t, system, Target{Users: []string{"ann"}}, titled("now"))
		s.notice(t, "now")
		before := got(n.db.clock(t.Context()))(t)
		n.hourLater(t)
		s.notice(t, "later")
		n.inboxIs(t, "released", ann, "later now", 2)
		n.person(t, "bob")
		must(t, n.groups.Join(t.Context(), "crew", "bob")) // too late
		view := got(n.notices.Get(t.Context(), ann, waiting.ID))(t)
		if view.ID != waiting.ID || view.CreatedAt < before || view.Cursor == n.journal.Position(waiting.ID).String() {
			t.Errorf("%+v", view)
		}
		got(n.notices.MarkOne(t.Context(), ann, waiting.ID, Marking{Read: new(true)}))(t)
		n.inboxIs(t, "read", ann, "later now", 1)
		if have := n.sent(t, system); have != "now to [ann] [] false: 0 of 1\nlater to [] [crew] false: 1 of 1" {
			t.Errorf("sent\n%s", have)
		}
		if page, _, _ = n.notices.Sent(t.Context(), system, waiting.ID+1, 50); page[0].Cursor == nil || page[0].DeliverAt != nil {
			t.Errorf("%+v", page[0])
		}
		must(t, n.notices.Withdraw(t.Context(), system, waiting.ID))
		n.inboxIs(t, "withdrawn after it was released", ann, "now", 1)
		_, err = n.notices.Get(t.Context(), ann, waiting.ID)
		refused(t, "the withdrawn one", err, models.CodeNotFound)
	})
}

func TestScheduledTimes(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		system, ann := n.system(t), n.person(t, "ann")
		for _, ahead := range []time.Duration{0, -time.Hour, -1000 * time.Hour} {
			if done := n.later(t, system, Target{Users: []string{"ann"}}, ahead, titled("x")); done.Cursor == "" {
				t.Errorf("%v ahead is not published at once", ahead)
			}
		}
		n.inboxIs(t, "in the past", ann, "x x x", 3)
		for what, c := range map[string]struct {
			ahead, expires time.Duration
			fields         string
		}{
			"more than a year":    {367 * 24 * time.Hour, 0, "deliver_at"},
			"gone before":         {2 * time.Hour, time.Hour, "expires_at"},
			"gone as it comes":    {2 * time.Hour, 2 * time.Hour, "expires_at"},
			"both":                {367 * 24 * time.Hour, time.Hour, "deliver_at expires_at"},
			"beside other faults": {367 * 24 * time.Hour, 0, "title deliver_at"},
		} {
			o := Outgoing{To: Target{Users: []string{"ann"}}, Content: titled("y"), DeliverAt: n.in(t, c.ahead)}
			if c.expires != 0 {
				at := *o.DeliverAt - models.Instant((c.ahead - c.expires).Milliseconds())
				o.Content.ExpiresAt = &at
			}
			if strings.HasPrefix(c.fields, "title") {
				o.Content.Title = ""
			}
			_, err := n.notices.Publish(t.Context(), system, o)
			var fields []string
			for _, f := range refused(t, what, err, models.CodeInvalid).Fields {
				fields = append(fields, f.Field)
			}
			if have := strings.Join(fields, " "); have != c.fields {
				t.Errorf("%s: %s, want %s", what, have, c.fields)
			}
		}
		if rows := n.number(t, "SELECT count(*) FROM schedules"); rows != 0 {
			t.Errorf("%d are scheduled", rows)
		}
	})
}

// TestScheduledOnce: the same request again is told the same, before and after its release, alone and in a batch.
func TestScheduledOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		system, ann := n.system(t), n.person(t, "ann")
		o := Outgoing{To: Target{Users: []string{"ann"}}, Content: titled("x"), DeliverAt: n.in(t, time.Hour), Once: Repeatable{Principal: system.Actor(), Key: "k", Digest: "d"}}
		results := make([]Published, 8)
		atOnce(len(results), func(i int) {
			var err error
			if results[i], err = n.notices.Publish(t.Context(), system, o); err != nil {
				t.Error(err)
			}
		})
		fresh := 0
		for _, r := range results {
			if r.ID != results[0].ID || r.Cursor != "" {
				t.Errorf("%+v after %+v", r, results[0])
			}
			if !r.Replayed {
				fresh++
			}
		}
		other := o
		other.Once.Digest = "another"
		_, err := n.notices.Publish(t.Context(), system, other)
		refused(t, "another request under the key", err, models.CodeIdempotencyMismatch)
		batch, faults, err := n.notices.PublishAll(t.Context(), system, []Outgoing{o, other, {To: o.To, Content: titled("now")}, {To: o.To, Content: titled("late"), DeliverAt: n.in(t, time.Hour)}, o})
		must(t, err)
		if batch[0].ID != results[0].ID || batch[0].Cursor != "" || !batch[0].Replayed || batch[4] != batch[0] || codeOf(faults[1]) != models.CodeIdempotencyMismatch ||
			batch[2].Cursor == "" || batch[3].Cursor != "" || batch[3].ID <= batch[2].ID || faults[0] != nil || faults[2] != nil || faults[3] != nil {
			t.Errorf("%+v, %v", batch, faults)
		}
		if rows := n.number(t, "SELECT count(*) FROM schedules"); fresh != 1 || rows != 2 {
			t.Errorf("%d were first, %d are scheduled", fresh, rows)
		}
		n.hourLater(t)
		o.DeliverAt = n.in(t, -time.Second)       // the same request, a while later
		for _, title := range []string{"x", ""} { // what it depended on may have changed
			o.Content.Title = title
			if again := got(n.notices.Publish(t.Context(), system, o))(t); again.ID != results[0].ID || again.Cursor != "" || !again.Replayed {
				t.Errorf("after its release: %+v", again)
			}
		}
		n.inboxIs(t, "after all", ann, "late x now", 3)
	})
}

// TestScheduledWithdrawn: one that still waits is never released, whoever withdraws it.
func TestScheduledWithdrawn(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		system, root, ann := n.system(t), n.admin(t, "root"), n.person(t, "ann")
		to := Target{Users: []string{"ann"}}
		first, second, kept := n.later(t, system, to, time.Hour, titled("a")), n.later(t, system, to, time.Hour, titled("b")), n.later(t, system, to, time.Hour, titled("c"))
		for who, p := range map[string]*Principal{"a recipient": n.principal(t, "ann"), "another system": n.system(t)} {
			refused(t, who, n.notices.Withdraw(t.Context(), p, first.ID), models.CodeNotFound)
			_, _, err := n.notices.Receipts(t.Context(), p, first.ID, nil, 1)
			refused(t, who, err, models.CodeNotFound)
		}
		head := n.journal.Committed()
		for range 2 {
			must(t, n.notices.Withdraw(t.Context(), system, first.ID))
			must(t, n.notices.Withdraw(t.Context(), root, second.ID))
		}
		if n.journal.Committed() != head {
			t.Error("somebody was told of a notice that nobody has")
		}
		n.hourLater(t)
		n.inboxIs(t, "released", ann, "c", 1)
		page, _, err := n.notices.Sent(t.Context(), system, 0, 50)
		must(t, err)
		if len(page) != 3 || page[0].ID != kept.ID || page[0].WithdrawnAt != nil || page[1].WithdrawnAt == nil || page[2].WithdrawnAt == nil || page[2].Cursor != nil {
			t.Errorf("%+v", page)
		}
		n.run(t, "UPDATE schedules SET withdrawn_at = 1 WHERE id = ?", first.ID)
		must(t, n.house.purge(t.Context()))
		if rows := n.number(t, "SELECT count(*) FROM schedules"); rows != 1 {
			t.Errorf("%d rows are kept", rows)
		}
	})
}

// TestWithdrawnOrReleased: while one is released it is withdrawn; it is withdrawn after all, and told of only if it was there.
func TestWithdrawnOrReleased(t *testing.T) {
	t.Parallel()
	address := testpg.Database(t)
	a, b := newNode(t, address), newNode(t, address)
	system, ann := a.system(t), a.person(t, "ann")
	told := 0
	for i := range 40 {
		waiting := a.later(t, system, Target{Users: []string{"ann"}}, time.Hour, titled("%d", i))
		a.run(t, "UPDATE schedules SET deliver_at = 1 WHERE withdrawn_at IS NULL")
		atOnce(3, func(k int) {
			var err error
			if k == 0 {
				err = b.notices.Withdraw(t.Context(), system, waiting.ID)
			} else {
				_, err = []*node{a, b}[k-1].notices.Release(t.Context())
			}
			if err != nil {
				t.Error(err)
			}
		})
		notices := a.number(t, "SELECT count(*) FROM entries WHERE kind = 'notice' AND subject = ?", waiting.ID)
		states := a.number(t, "SELECT count(*) FROM entries WHERE kind = 'notice_state'") - int64(told)
		if notices != states {
			t.Fatalf("released %d times, told of %d times", notices, states)
		}
		told += int(states)
	}
	a.inboxIs(t, "all withdrawn", ann, "", 0)
	t.Logf("%d of 40 were released first", told)
}

// TestScheduledOutlivesTheLog: its id may be trimmed from the log before its time, and what is done with it afterwards stays.
func TestScheduledOutlivesTheLog(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		system, ann := n.system(t), n.person(t, "ann")
		waiting := n.later(t, system, Target{Users: []string{"ann"}}, time.Hour, titled("late"))
		gone := n.publish(t, system, Target{Users: []string{"ann"}}, titled("gone"))
		got(n.notices.MarkOne(t.Context(), ann, gone.ID, Marking{Read: new(true)}))(t)
		got(n.journal.Trim(t.Context(), int64(*n.in(t, time.Minute))))(t)
		n.hourLater(t)
		got(n.notices.MarkOne(t.Context(), ann, waiting.ID, Marking{Read: new(true)}))(t)
		must(t, n.house.purge(t.Context()))
		n.inboxIs(t, "read, and the house kept", ann, "late", 0)
		if states := n.number(t, "SELECT count(*) FROM notice_states"); states != 1 {
			t.Errorf("%d states are kept", states)
		}
	})
}

// TestHouseReleasesOnTime: by a node that was started after it was scheduled, within a second of its time.
func TestHouseReleasesOnTime(t *testing.T) {
	t.Parallel()
	address := testpg.Database(t)
	first := newNode(t, address)
	system := first.system(t)
	first.person(t, "ann")
	at := *first.in(t, time.Hour)
	for _, after := range []models.Instant{0, 400, 1200} {
		got(first.notices.Publish(t.Context(), system, Outgoing{To: Target{Users: []string{"ann"}}, Content: titled("%d", after), DeliverAt: new(at + after)}))(t)
	}
	head := first.journal.Committed()
	due := *first.in(t, 300*time.Millisecond) // now that all are written, however long that took
	first.run(t, "UPDATE schedules SET deliver_at = deliver_at - ?", at-due)
	second := newNode(t, address)
	ctx, cancel := context.WithCancel(t.Context())
	var keeping sync.WaitGroup
	keeping.Go(func() { second.house.Run(ctx) })
	must(t, second.hub.Await(t.Context(), head+3))
	cancel()
	keeping.Wait()
	var order []string
	must(t, first.db.Read.Raw("SELECT payload::json->>'title' FROM entries WHERE kind = 'notice' ORDER BY log_offset").Scan(&order).Error)
	if fmt.Sprint(order) != "[0 400 1200]" {
		t.Errorf("%v", order)
	}
	if early := first.number(t, "SELECT count(*) FROM entries WHERE kind = 'notice' AND created_at < ? + (payload::json->>'title')::bigint", due); early != 0 {
		t.Errorf("%d came early", early)
	}
}

// TestScheduledUnderAKey: when its time comes it is of its category, and takes the place of what its sender published under the
// same collapse key.
func TestScheduledUnderAKey(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		system, ann := n.system(t), n.person(t, "ann")
		to := Target{Users: []string{"ann"}}
		c := underKey("disk", "scheduled")
		c.Category = new("disks")
		n.later(t, system, to, time.Hour, c)
		n.publish(t, system, to, underKey("disk", "now"))
		n.publish(t, system, to, underKey("other", "other"))
		n.inboxIs(t, "before its time", ann, "other now", 2)
		n.hourLater(t)
		n.inboxIs(t, "released", ann, "scheduled other", 2)
		if have := n.titles(t, ann, Listing{Category: "disks"}); have != "scheduled" {
			t.Errorf("of its category: %q", have)
		}
	})
}
