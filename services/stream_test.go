package services

import (
	"context"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"belfry/internal/testpg"
	"belfry/models"
	"belfry/services/hub"
	"belfry/services/journal"
	"belfry/services/tracing"
)

// ticket reads a minted ticket as a request would.
func (n *node) ticket(t *testing.T, m Minted) *Ticket {
	t.Helper()
	ticket, ok := n.tokens.ParseTicket(m.Token)
	if !ok {
		t.Fatal("a minted ticket is not taken")
	}
	return ticket
}

func TestSessionTicket(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		n.person(t, "ann")
		l, cookie := n.signIn(t, "ann")
		ticket := n.ticket(t, got(n.sessions.Ticket(l))(t))
		first, second := n.stream(t, StreamRequest{Ticket: ticket}), n.stream(t, StreamRequest{Ticket: ticket, Cookie: "beaten by the ticket"})
		for _, s := range []*sink{first, second} {
			if h := s.begun(t); h.Session == nil || h.Session.ID != l.ID {
				t.Errorf("%+v", h)
			}
		}
		// The database's clock says when opening ends; what is open stays.
		brief := NewTokens(n.tokens.ring, time.Hour, 0)
		expired, _ := brief.ParseTicket(got(brief.minted(Ticket{SessionID: l.ID}, n.resolve(t, cookie).Now))(t).Token)
		for name, bad := range map[string]*Ticket{"expired": expired, "of no session": {SessionID: "none", expires: ticket.expires}, "of nobody": {expires: ticket.expires}} {
			_, err := n.Open(t.Context(), StreamRequest{Ticket: bad, Cookie: cookie})
			refused(t, name+", beside a good cookie", err, models.CodeUnauthenticated)
		}
		for name, bad := range map[string]string{"none": "", "noise": "x"} {
			_, err := n.Open(t.Context(), StreamRequest{Cookie: bad})
			refused(t, name, err, models.CodeUnauthenticated)
		}
		got(n.sessions.Lock(t.Context(), l, l.ID))(t)
		first.lock(t, "locked manual")
		locked := n.stream(t, StreamRequest{Ticket: ticket})
		locked.hello(t)
		locked.lock(t, "locked manual")
		must(t, n.sessions.EndUser(t.Context(), "ann"))
		for _, s := range []*sink{first, locked} {
			s.lock(t, "ended admin")
			s.ended(t)
		}
		opening := got(n.Open(t.Context(), StreamRequest{Ticket: ticket}))(t)
		if events := parseEvents(t, opening.First); opening.Stream != nil || len(events) != 1 || events[0].name != "lock" {
			t.Errorf("%+v", events)
		}
	})
}

func TestKeyTicket(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		n.person(t, "ann")
		system := n.system(t)
		mint := func() (*models.Key, *Ticket) {
			key, _, err := n.keys.Create(t.Context(), KeySpec{Name: "host", Scopes: []models.Scope{models.ScopeTicketsWrite}})
			must(t, err)
			return key, n.ticket(t, got(n.keys.TicketFor(t.Context(), n.tokens, key, "ANN"))(t))
		}
		key, ticket := mint()
		_, other := mint()
		_, err := n.keys.TicketFor(t.Context(), n.tokens, key, "nobody")
		refused(t, "nobody", err, models.CodeNotFound)
		first, second := n.stream(t, StreamRequest{Ticket: ticket}), n.stream(t, StreamRequest{Ticket: other})
		for _, s := range []*sink{first, second} {
			if _, h := s.hello(t); h.Session != nil || h.Unread == nil {
				t.Errorf("%+v", h)
			}
		}
		l, cookie := n.signIn(t, "ann")
		own := n.stream(t, StreamRequest{Cookie: cookie})
		own.begun(t)
		got(n.sessions.Lock(t.Context(), l, l.ID))(t) // is not theirs
		n.publish(t, system, Target{Users: []string{"ann"}}, titled("x"))
		first.notice(t, "x")
		second.notice(t, "x")
		must(t, n.keys.Revoke(t.Context(), key.ID))
		first.ended(t)
		_, err = n.Open(t.Context(), StreamRequest{Ticket: ticket})
		refused(t, "after the key was revoked", err, models.CodeUnauthenticated)
		n.publish(t, system, Target{Users: []string{"ann"}}, titled("y"))
		second.notice(t, "y")
		own.lock(t, "locked manual")
		must(t, n.users.Disable(t.Context(), "ann"))
		second.ended(t)
		own.lock(t, "ended disabled")
		own.ended(t)
		_, err = n.Open(t.Context(), StreamRequest{Ticket: other})
		refused(t, "after the user was disabled", err, models.CodeUnauthenticated)
		_, err = n.keys.TicketFor(t.Context(), n.tokens, key, "ann")
		refused(t, "for a disabled user", err, models.CodeNotFound)
	})
}

func TestOverTheLimitGetsAPause(t *testing.T) {
	t.Parallel()
	n := newNode(t, sqliteAddress(t), func(_ *models.SessionLimits, s *StreamSettings) { s.PerUser = 2 })
	n.person(t, "ann")
	n.person(t, "bob")
	_, cookie := n.signIn(t, "ann")
	_, other := n.signIn(t, "bob")
	a, b := n.stream(t, StreamRequest{Cookie: cookie}), n.stream(t, StreamRequest{Cookie: cookie})
	a.begun(t)
	b.begun(t)
	p := n.stream(t, StreamRequest{Cookie: cookie}).pause(t)
	wait, err := strconv.ParseInt(p.retry, 10, 64)
	if back, err2 := strconv.ParseInt(p.data, 10, 64); err != nil || err2 != nil || wait < 1000 || wait > 30_000 ||
		back < time.Now().UnixMilli() || back > time.Now().UnixMilli()+wait {
		t.Errorf("%+v", p)
	}
	n.stream(t, StreamRequest{Cookie: other}).begun(t)
	a.leave()
	<-a.done
	n.stream(t, StreamRequest{Cookie: cookie}).begun(t)
	if n.hub.Streams() != 3 {
		t.Errorf("%d streams", n.hub.Streams())
	}
}

func TestDrain(t *testing.T) {
	t.Parallel()
	n := newNode(t, sqliteAddress(t))
	n.person(t, "ann")
	_, cookie := n.signIn(t, "ann")
	var all []*sink
	for range 5 {
		s := n.stream(t, StreamRequest{Cookie: cookie})
		s.begun(t)
		all = append(all, s)
	}
	n.Drain(t.Context())
	for _, s := range all {
		s.pause(t)
	}
	late := n.stream(t, StreamRequest{Cookie: cookie})
	late.pause(t)
	select {
	case <-n.Draining():
	default:
		t.Error("nobody can see that streams are sent away")
	}
}

func TestNewEpochSendsEverybodyAway(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		n.person(t, "ann")
		_, cookie := n.signIn(t, "ann")
		s := n.stream(t, StreamRequest{Cookie: cookie})
		s.begun(t)
		last := n.publish(t, n.system(t), Target{Everyone: true}, titled("x"))
		s.notice(t, "x")
		must(t, n.journal.NewEpoch(t.Context()))
		s.pause(t)
		back := n.stream(t, StreamRequest{Cookie: cookie, Position: last.Cursor})
		if _, h := back.hello(t); h.Resumed || strings.HasPrefix(h.Head, strings.SplitAfter(last.Cursor, "-")[0]) {
			t.Errorf("%+v", h)
		}
		back.lock(t, "active")
		if e := back.next(t, "reset"); !strings.Contains(e.data, `"epoch"`) {
			t.Errorf("%+v", e)
		}
		next := n.publish(t, n.system(t), Target{Everyone: true}, titled("y"))
		if e := back.notice(t, "y"); e.id != next.Cursor || e.id != got(n.journal.Head(t.Context()))(t).Epoch+"-"+strconv.FormatInt(next.ID, 10) {
			t.Errorf("%s is not of the new epoch", e.id)
		}
	})
}

// TestEntryBeforeTheNewEpochIsNoticed: what an open stream is given meanwhile has a position of the
// old epoch, or its reader would resume as if nothing had happened.
func TestEntryBeforeTheNewEpochIsNoticed(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		n.person(t, "ann")
		_, cookie := n.signIn(t, "ann")
		s := n.stream(t, StreamRequest{Cookie: cookie})
		s.begun(t)
		system := n.system(t)
		n.run(t, "UPDATE log_head SET epoch = 'fresh'")
		got(n.journal.Head(t.Context()))(t) // as any opening does
		n.publish(t, system, Target{Everyone: true}, titled("x"))
		e := s.next2(t)
		for ; e.name == "notice"; e = s.next2(t) {
			if strings.HasPrefix(e.id, "fresh-") {
				t.Errorf("a stream of the old epoch was given %s", e.id)
			}
		}
		if e.name != "pause" {
			t.Errorf("%+v", e)
		}
	})
}

// TestLongReplay catches up over more than one step, and more than memory holds of it.
func TestLongReplay(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		ann, system := n.person(t, "ann"), n.system(t)
		_, cookie := n.signIn(t, "ann")
		const many = 1100
		rows := "WITH RECURSIVE i(o) AS (SELECT 1 UNION ALL SELECT o + 1 FROM i WHERE o < ?) "
		n.run(t, rows+`INSERT INTO entries (log_offset, kind, subject, audiences, payload, created_at) SELECT o, 'notice', o, ?, '{"title":"x"}', 0 FROM i`, many, userAudience(ann.ID))
		n.run(t, rows+"INSERT INTO recipients (audience, log_offset) SELECT ?, o FROM i", many, userAudience(ann.ID))
		n.run(t, "UPDATE log_head SET head = ?", many)
		s := newNodeOn(t, n).stream(t, StreamRequest{Cookie: cookie, Position: n.journal.Position(0).String()})
		n.publish(t, system, Target{Users: []string{"ann"}}, titled("live"))
		s.begun(t)
		for offset := int64(1); offset <= many; offset++ {
			if e := s.next(t, "notice"); e.id != n.journal.Position(offset).String() {
				t.Fatalf("%s came where %d was due", e.id, offset)
			}
		}
		s.notice(t, "live")
	})
}

func TestExpiredAndWithdrawnAreNotReplayed(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		n.person(t, "ann")
		system, to := n.system(t), Target{Users: []string{"ann"}}
		_, cookie := n.signIn(t, "ann")
		expired, withdrawn := n.publish(t, system, to, titled("expired")), n.publish(t, system, to, titled("withdrawn"))
		n.publish(t, system, to, titled("kept"))
		n.run(t, "UPDATE entries SET expires_at = 1 WHERE log_offset = ?", expired.ID)
		n.run(t, "UPDATE entries SET withdrawn_at = 1 WHERE log_offset = ?", withdrawn.ID)
		other := newNodeOn(t, n)
		s := other.stream(t, StreamRequest{Cookie: cookie, Position: n.journal.Position(0).String()})
		s.begun(t)
		s.notice(t, "kept")
	})
}

// newNodeOn is the same database under a node that remembers nothing.
func newNodeOn(t *testing.T, n *node) *node {
	t.Helper()
	j := got(journal.Open(t.Context(), n.db.Read, n.db.Write, noHints{}, n.log))(t)
	t.Cleanup(j.Close)
	other := *n
	other.journal = j
	other.notices = NewNotices(n.db, j)
	other.tasks = NewTasks(n.db, j, other.notices, noHints{})
	other.Streams = NewStreams(n.db, j, hub.New(j.Cursor(), hub.RecentEntries), n.sessions, other.notices, n.settings, n.log)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { other.Follow(ctx, nil) })
	wg.Go(func() { other.tasks.Follow(ctx, nil) })
	t.Cleanup(func() { other.CloseAll(); cancel(); wg.Wait() })
	must(t, other.Warm(t.Context(), got(j.Head(t.Context()))(t).Offset))
	return &other
}

type noHints struct{}

func (noHints) Announce(string, []journal.Entry) {}

func (noHints) Cause(int64) *tracing.Cause { return nil }

func (noHints) Grew(int64, int64) {}

// TestDatabaseAway: streams stay and ping, new ones are sent away, and all goes on when it is back.
//
// Security: S37
func TestDatabaseAway(t *testing.T) {
	t.Parallel()
	cluster := testpg.NewCluster(t)
	must(t, migrate(cluster.DSN()))
	n := newNode(t, cluster.DSN(), func(_ *models.SessionLimits, s *StreamSettings) { s.Heartbeat = 50 * time.Millisecond })
	n.person(t, "ann")
	system := n.system(t)
	_, cookie := n.signIn(t, "ann")
	l, short := n.signIn(t, "ann")
	n.idle(t, l.ID, testLimits.Idle-8*time.Second)
	standing, doomed := n.stream(t, StreamRequest{Cookie: cookie}), n.stream(t, StreamRequest{Cookie: short})
	standing.begun(t)
	doomed.hello(t)
	doomed.lock(t, "expiring idle")
	must(t, cluster.Abort()) // at once: what is left to the session is not to be spent on a checkpoint
	_, err := n.notices.Publish(t.Context(), system, Outgoing{To: Target{Everyone: true}, Content: titled("lost")})
	refused(t, "publish", err, models.CodeUnavailable)
	n.stream(t, StreamRequest{Cookie: cookie}).pause(t)
	standing.next(t, "ping")
	// Past the moment when its session locks a stream may not stay: nobody can tell whether it has.
	for e := doomed.next2(t); e.name != "pause"; e = doomed.next2(t) {
		if e.name != "ping" {
			t.Errorf("%+v", e)
		}
	}
	must(t, cluster.Start())
	n.publish(t, system, Target{Everyone: true}, titled("back"))
	for e := standing.next2(t); ; e = standing.next2(t) {
		if e.name == "notice" && strings.Contains(e.data, `"back"`) {
			break
		}
		if e.name != "ping" {
			t.Errorf("%+v", e)
		}
	}
}

// next2 waits for whatever comes.
func (s *sink) next2(t *testing.T) sseEvent {
	t.Helper()
	select {
	case e := <-s.events:
		return e
	case <-time.After(patience):
		t.Fatal("nothing came")
		return sseEvent{}
	}
}

// serving runs a stream of nothing in a bubble of its own time, and tells when what was written.
func serving(t *testing.T, settings StreamSettings) (conn *hub.Conn, written func() []string) {
	t.Helper()
	h := hub.New(0, hub.RecentEntries)
	s := NewStreams(nil, nil, h, nil, nil, settings, slog.New(slog.DiscardHandler))
	s.admit(1)
	conn = h.Add(0, nil, ClassAll, false)
	st := &Stream{streams: s, conn: conn, user: 1}
	began := time.Now()
	var words []string
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	go func() {
		_ = st.Serve(ctx, hub.Event{Name: "first"}.Encode(), func(b []byte) error {
			for _, e := range parseEvents(t, b) {
				words = append(words, e.name+" "+time.Since(began).Truncate(time.Second).String())
			}
			return nil
		})
	}()
	return conn, func() []string { synctest.Wait(); return words }
}

func TestPingsAfterSilence(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		conn, written := serving(t, StreamSettings{Heartbeat: 15 * time.Second})
		time.Sleep(40 * time.Second)
		conn.Signal(hub.Event{Name: "lock"}.Encode())
		time.Sleep(17 * time.Second)
		have := written()
		var names []string
		last := time.Duration(0)
		for _, said := range have {
			name, after, _ := strings.Cut(said, " ")
			at, err := time.ParseDuration(after)
			if silence := at - last; err != nil || name == "ping" && (silence < 14*time.Second || silence > 16*time.Second) {
				t.Errorf("a ping after %v of silence: %v", silence, have)
			}
			names, last = append(names, name), at
		}
		if !slices.Equal(names, []string{"first", "ping", "ping", "lock", "ping"}) {
			t.Errorf("%v", have)
		}
	})
}

// Security: S13
func TestStreamIsRotated(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, written := serving(t, StreamSettings{Heartbeat: time.Second, MaxAge: time.Minute})
		time.Sleep(2 * time.Minute)
		have := written()
		name, after, _ := strings.Cut(have[len(have)-1], " ")
		at, err := time.ParseDuration(after)
		if err != nil || name != "pause" || at < 54*time.Second || at > 67*time.Second {
			t.Errorf("the last is %q", have[len(have)-1])
		}
	})
}
