package services

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"belfry/models"
	"belfry/services/journal"
)

func TestStreamBeginsAndGoesOn(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		n.person(t, "ann")
		system := n.system(t)
		l, cookie := n.signIn(t, "ann")
		old := n.publish(t, system, Target{Users: []string{"ann"}}, titled("old"))
		s := n.stream(t, StreamRequest{Cookie: cookie})
		e, h := s.hello(t)
		if e.id != old.Cursor || e.retry != "2000" || h.Session == nil || h.Session.ID != l.ID || h.Session.State != models.SessionActive || !h.Session.Current ||
			h.Unread == nil || *h.Unread != 1 || h.Head != old.Cursor || h.Resumed || h.HeartbeatMS != time.Hour.Milliseconds() || h.Now == 0 {
			t.Errorf("%+v %+v", e, h)
		}
		if lock := s.lock(t, "active"); lock.IdleRemaining <= 0 || lock.MaxRemaining <= 0 {
			t.Errorf("%+v", lock)
		}
		for i := range 5 {
			done := n.publish(t, system, Target{Users: []string{"ann"}}, titled("%d", i))
			if e := s.notice(t, strconv.Itoa(i)); e.id != done.Cursor {
				t.Errorf("id %s of a notice at %s", e.id, done.Cursor)
			}
		}
		if active := n.resolve(t, cookie).LastActiveAt; active != l.LastActiveAt {
			t.Error("an open stream moved the idle clock")
		}
	})
}

func TestResume(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		n.person(t, "ann")
		n.person(t, "bob")
		system := n.system(t)
		_, cookie := n.signIn(t, "ann")
		var ids []string
		for i := range 4 {
			ids = append(ids, n.publish(t, system, Target{Users: []string{"ann"}}, titled("%d", i)).Cursor)
			n.publish(t, system, Target{Users: []string{"bob"}}, titled("foreign"))
		}
		head := got(n.journal.Head(t.Context()))(t)
		at := func(epoch string, offset int64) string {
			return journal.Position{Epoch: epoch, Offset: offset}.String()
		}
		n.run(t, "UPDATE log_head SET trimmed = 2") // nothing is deleted, but nobody may count on it
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for deadline := time.Now().Add(patience); n.journal.Trimmed() != 2 && time.Now().Before(deadline); {
			<-tick.C // another node's trimming is seen at the next poll
		}
		for _, c := range []struct {
			name, position, reason string
			want                   []string
		}{
			{"after the second", ids[1], "", []string{"2", "3"}},
			{"at another's entry", at(head.Epoch, 6), "", []string{"3"}},
			{"at the last trimmed", at(head.Epoch, 2), "", []string{"1", "2", "3"}},
			{"at the head", at(head.Epoch, head.Offset), "", nil},
			{"beyond the head", at(head.Epoch, head.Offset+1), "invalid", nil},
			{"far beyond", at(head.Epoch, 1<<62), "invalid", nil},
			{"trimmed", at(head.Epoch, 1), "trimmed", nil},
			{"another epoch", at("other", 3), "epoch", nil},
			{"malformed", "x", "invalid", nil},
			{"too long", strings.Repeat("a", 63) + "-1", "invalid", nil},
			{"negative", head.Epoch + "--1", "invalid", nil},
		} {
			s := n.stream(t, StreamRequest{Cookie: cookie, Position: c.position})
			e, h := s.hello(t)
			s.lock(t, "active")
			from := c.position
			if c.reason != "" {
				from = at(head.Epoch, head.Offset)
				reset := s.next(t, "reset")
				var r ResetEvent
				must(t, json.Unmarshal([]byte(reset.data), &r))
				if r.Reason != c.reason || r.Head != from || reset.id != from {
					t.Errorf("%s: %+v", c.name, reset)
				}
			}
			if e.id != from || h.Resumed != (c.reason == "") {
				t.Errorf("%s: hello at %s, resumed %v", c.name, e.id, h.Resumed)
			}
			for _, title := range c.want {
				s.notice(t, title)
			}
			s.leave()
			<-s.done
			s.quiet(t)
		}
	})
}

func TestNarrowedAndUnnamed(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		ann, system := n.person(t, "ann"), n.system(t)
		l, cookie := n.signIn(t, "ann")
		all, notices := n.stream(t, StreamRequest{Cookie: cookie}), n.stream(t, StreamRequest{Cookie: cookie, Wants: ClassNotice, Unnamed: true})
		states, locks := n.stream(t, StreamRequest{Cookie: cookie, Wants: ClassNoticeState}), n.stream(t, StreamRequest{Cookie: cookie, Wants: ClassTask})
		for _, s := range []*sink{all, notices, states, locks} {
			s.begun(t)
		}
		done := n.publish(t, system, Target{Users: []string{"ann"}}, titled("x"))
		yes := true
		got(n.notices.MarkOne(t.Context(), ann, done.ID, Marking{Read: &yes}))(t)
		all.notice(t, "x")
		if e := all.next(t, "notice_state"); e.data != fmt.Sprintf(`{"ids":[%d],"state":"read","unread":0}`, done.ID) {
			t.Errorf("%+v", e)
		}
		if e := notices.next(t, ""); e.id != done.Cursor || !strings.Contains(e.data, `"title":"x"`) {
			t.Errorf("%+v", e)
		}
		states.next(t, "notice_state")
		got(n.sessions.Lock(t.Context(), l, l.ID))(t) // not before: it takes back what nobody has taken yet
		for _, s := range []*sink{all, notices, states, locks} {
			s.lock(t, "locked manual")
			s.quiet(t)
		}
	})
}

// Security: L3
func TestLockedStreamWithholdsInOrder(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		ann, system := n.person(t, "ann"), n.system(t)
		l, cookie := n.signIn(t, "ann")
		to := Target{Users: []string{"ann"}}
		start := n.journal.Position(0).String()
		open := n.stream(t, StreamRequest{Cookie: cookie})
		open.begun(t)
		n.publish(t, system, to, titled("0"))
		open.notice(t, "0")
		locked := got(n.sessions.Lock(t.Context(), l, l.ID))(t)
		open.lock(t, "locked manual")
		n.publish(t, system, to, titled("1"))
		marked := n.publish(t, system, to, titled("2"))
		yes := true
		got(n.notices.MarkOne(t.Context(), ann, marked.ID, Marking{Read: &yes}))(t)
		// One that comes while it is locked sees no more.
		late := n.stream(t, StreamRequest{Cookie: cookie, Position: start})
		_, h := late.hello(t)
		late.lock(t, "locked manual")
		if h.Unread != nil || !h.Resumed || h.Session.State != models.SessionLocked {
			t.Errorf("%+v", h)
		}
		open.quiet(t)
		late.quiet(t)
		_, fresh, err := n.sessions.Unlock(t.Context(), locked, password)
		must(t, err)
		n.publish(t, system, to, titled("3"))
		for _, s := range []*sink{open, late} {
			s.lock(t, "active")
			if s == late {
				s.notice(t, "0")
			}
			s.notice(t, "1")
			s.notice(t, "2")
			s.next(t, "notice_state")
			s.notice(t, "3")
		}
		// The open streams are bound to the row, not to the old cookie.
		_, err = n.Open(t.Context(), StreamRequest{Cookie: cookie})
		refused(t, "the old cookie", err, models.CodeUnauthenticated)
		n.stream(t, StreamRequest{Cookie: fresh}).begun(t)
	})
}

// Security: S10, S13
func TestEndedSession(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		n.person(t, "ann")
		l, cookie := n.signIn(t, "ann")
		ticket, ok := n.tokens.ParseTicket(got(n.sessions.Ticket(l))(t).Token)
		if !ok {
			t.Fatal("no ticket")
		}
		s := n.stream(t, StreamRequest{Cookie: cookie})
		s.begun(t)
		before := n.publish(t, n.system(t), Target{Everyone: true}, titled("before"))
		s.notice(t, "before")
		must(t, n.sessions.Logout(t.Context(), l))
		e := s.next(t, "lock")
		if e.id == "" || !strings.Contains(e.data, `"logout"`) {
			t.Errorf("%+v", e)
		}
		s.ended(t)
		n.publish(t, n.system(t), Target{Everyone: true}, titled("after"))
		for _, req := range []StreamRequest{{Cookie: cookie}, {Ticket: ticket}} {
			for position, gone := range map[string]bool{"": false, before.Cursor: false, "x": false, "other-99": false, e.id: true, n.journal.Position(1 << 40).String(): true} {
				req.Position = position
				opening := got(n.Open(t.Context(), req))(t)
				if opening.NoContent != gone || opening.Stream != nil {
					t.Errorf("position %q: %+v", position, opening)
				}
				if gone {
					continue
				}
				if events := parseEvents(t, opening.First); len(events) != 1 || events[0].name != "lock" || events[0].id != e.id {
					t.Errorf("position %q: %+v", position, events)
				}
			}
		}
	})
}

// Security: L5
func TestIdleSessionLocksOnItsStream(t *testing.T) {
	t.Parallel()
	quick := func(l *models.SessionLimits, _ *StreamSettings) {
		*l = models.SessionLimits{Idle: 4 * time.Second, Max: 12 * time.Second, Warning: 2 * time.Second}
	}
	n := newNode(t, sqliteAddress(t), quick)
	n.person(t, "ann")
	l, cookie := n.signIn(t, "ann")
	s := n.stream(t, StreamRequest{Cookie: cookie})
	s.begun(t)
	if w := s.lock(t, "expiring idle"); w.IdleRemaining <= 0 || w.IdleRemaining > 2000 {
		t.Errorf("warned with %d ms left", w.IdleRemaining)
	}
	got(n.sessions.Touch(t.Context(), n.resolve(t, cookie), true))(t)
	s.lock(t, "active")
	s.lock(t, "expiring idle")
	s.lock(t, "locked idle")
	s.lock(t, "ended max_age")
	s.ended(t)
	told(t, n, l.ID, "active", "locked idle", "ended max_age")
}

// TestManyLockTogether: what falls due together costs the database a few questions, not one for each.
func TestManyLockTogether(t *testing.T) {
	const many = 60
	onBoth(t, func(t *testing.T, n *node) {
		n.person(t, "ann")
		var cookies, ids []string
		for range many {
			l, cookie := n.signIn(t, "ann")
			ids, cookies = append(ids, l.ID), append(cookies, cookie)
		}
		// As if all had done something at one moment.
		must(t, n.db.Write.Exec("UPDATE sessions SET last_active_at = (SELECT max(last_active_at) FROM sessions)").Error)
		n.journal.Forget()
		var asked atomic.Int64
		rows := n.sessions.rows
		n.sessions.rows = func(ctx context.Context, ids ...string) ([]*Live, error) {
			asked.Add(1)
			return rows(ctx, ids...)
		}
		var streams []*sink
		for _, cookie := range cookies {
			streams = append(streams, n.stream(t, StreamRequest{Cookie: cookie}))
		}
		opened := asked.Load()
		for i, s := range streams {
			s.begun(t)
			s.lock(t, "expiring idle")
			s.lock(t, "locked idle")
			told(t, n, ids[i], "locked idle")
		}
		if n := asked.Load() - opened; n > many/2 {
			t.Errorf("%d questions about %d sessions", n, many)
		}
	}, func(l *models.SessionLimits, s *StreamSettings) {
		l.Idle, l.Warning, s.PerUser = 6*time.Second, time.Second, many
	})
}

// TestOpenedWithinTheWarning: the opening says so, and nothing says it again.
func TestOpenedWithinTheWarning(t *testing.T) {
	t.Parallel()
	n := newNode(t, sqliteAddress(t), func(l *models.SessionLimits, _ *StreamSettings) { l.Idle, l.Warning = 10*time.Second, 6*time.Second })
	n.person(t, "ann")
	l, cookie := n.signIn(t, "ann")
	n.idle(t, l.ID, 5*time.Second)
	s := n.stream(t, StreamRequest{Cookie: cookie})
	s.hello(t)
	s.lock(t, "expiring idle")
	s.lock(t, "locked idle")
}

func TestGroupsOnAnOpenStream(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		n.person(t, "ann")
		n.person(t, "bob")
		system := n.system(t)
		_, cookie := n.signIn(t, "ann")
		_, other := n.signIn(t, "bob")
		got(n.groups.Add(t.Context(), "team", ""))(t)
		s, o := n.stream(t, StreamRequest{Cookie: cookie}), n.stream(t, StreamRequest{Cookie: other})
		s.begun(t)
		o.begun(t)
		start := n.journal.Position(0).String()
		team := Target{Groups: []string{"team"}}
		n.publish(t, system, team, titled("before"))
		must(t, n.groups.Join(t.Context(), "team", "ann"))
		n.publish(t, system, team, titled("in"))
		n.publish(t, system, Target{Groups: []string{"team"}, Users: []string{"ann"}, Everyone: true}, titled("thrice"))
		again := n.stream(t, StreamRequest{Cookie: cookie, Position: start})
		again.begun(t)
		must(t, n.groups.Leave(t.Context(), "team", "ann"))
		n.publish(t, system, team, titled("out"))
		n.publish(t, system, Target{Everyone: true}, titled("last"))
		for _, each := range []*sink{s, again} {
			each.notice(t, "in")
			each.notice(t, "thrice")
			each.notice(t, "last")
		}
		o.notice(t, "thrice")
		o.notice(t, "last")
		// What is replayed is what is hers now.
		after := n.stream(t, StreamRequest{Cookie: cookie, Position: start})
		after.begun(t)
		after.notice(t, "thrice")
		after.notice(t, "last")
	})
}

// TestFailedOpeningsCountNoMore: who could not be let in while the database was away has not used up what one may have.
func TestFailedOpeningsCountNoMore(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		n.person(t, "ann")
		_, cookie := n.signIn(t, "ann")
		open := func() Opening {
			t.Helper()
			return got(n.Open(t.Context(), StreamRequest{Cookie: cookie, Wants: ClassAll}))(t)
		}
		read := n.Streams.summary
		n.Streams.summary = func(context.Context, *models.User) (Summary, error) { return Summary{}, errors.New("away") }
		for range 3 {
			if opening := open(); opening.Stream != nil || !strings.Contains(string(opening.First), "event: pause") {
				t.Fatalf("without the database: %s", opening.First)
			}
		}
		n.Streams.summary = read
		opening := open()
		if opening.Stream == nil {
			t.Fatalf("afterwards: %s", opening.First)
		}
		opening.Stream.close()
	}, func(_ *models.SessionLimits, streams *StreamSettings) { streams.PerUser = 2 })
}
