package services

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"gorm.io/gorm"

	"belfry/models"
	"belfry/services/journal"
)

// countStatements counts what is sent to a database, from before anybody uses it: GORM's callbacks may not change later.
func countStatements(t testing.TB, d *Database) *atomic.Int64 {
	t.Helper()
	count := new(atomic.Int64)
	for _, db := range []*gorm.DB{d.Read, d.Write} {
		note := func(*gorm.DB) { count.Add(1) }
		calls := db.Callback()
		must(t, calls.Query().Register("test:query", note))
		must(t, calls.Row().Register("test:row", note))
		must(t, calls.Raw().Register("test:raw", note))
		if d.Read == d.Write {
			break
		}
	}
	return count
}

// TestStreamsOpenWithoutAQuery: the node's own poll goes on meanwhile, so the bound is not nought.
func TestStreamsOpenWithoutAQuery(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		system := n.system(t)
		var cookies []string
		for _, name := range []string{"ann", "bob", "cid", "dan"} {
			n.person(t, name)
			_, cookie := n.signIn(t, name)
			cookies = append(cookies, cookie)
		}
		for i := range 20 {
			n.publish(t, system, Target{Everyone: true}, titled("n%d", i))
		}
		from := n.journal.Position(5).String()
		fresh := newNodeOn(t, n)
		for _, cookie := range cookies { // what Warm does not read on SQLite
			fresh.stream(t, StreamRequest{Cookie: cookie, Position: from}).begun(t)
		}
		fresh.statements.Store(0)
		began := time.Now()
		for range 20 {
			for _, cookie := range cookies {
				s := fresh.stream(t, StreamRequest{Cookie: cookie, Position: from})
				if _, h := s.hello(t); *h.Unread != 20 || !h.Resumed {
					t.Errorf("%+v", h)
				}
				s.lock(t, "active")
				for i := 5; i < 20; i++ {
					s.notice(t, fmt.Sprintf("n%d", i))
				}
				s.leave()
				<-s.done
			}
		}
		// Two nodes poll twice a second on this database, and count alike.
		if most := 4*int64(time.Since(began)/time.Second+1) + 4; fresh.statements.Load() > most {
			t.Errorf("%d statements for 80 streams", fresh.statements.Load())
		}
	})
}

// TestListCountsFromMemory: what a stream would be told is taken for a page of the same head, and for no other.
func TestListCountsFromMemory(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		system, ann := n.system(t), n.person(t, "ann")
		unread := func() int64 { return got(n.notices.List(t.Context(), ann, Listing{Limit: 1}))(t).Unread }
		for i := range 2 {
			n.publish(t, system, Target{Users: []string{"ann"}}, titled("n%d", i))
		}
		must(t, n.hub.Await(t.Context(), n.journal.Committed()))
		if have := unread(); have != 2 {
			t.Errorf("%d unread, want 2", have)
		}
		known, ok := n.summaries.get(ann.ID, 0, models.InstantOf(time.Now()))
		if known.Unread = 77; !ok {
			t.Fatal("the count is not remembered")
		}
		n.summaries.put(ann.ID, known)
		if have := unread(); have != 77 {
			t.Errorf("%d unread, want what is remembered", have)
		}
		n.publish(t, system, Target{Users: []string{"ann"}}, titled("delivered"))
		must(t, n.hub.Await(t.Context(), n.journal.Committed()))
		if have := unread(); have != 78 {
			t.Errorf("%d unread, want 78", have)
		}
		head := got(n.journal.Head(t.Context()))(t)
		head.Offset--
		if have := got(n.notices.unreadAt(n.db.Read.WithContext(t.Context()), ann, head))(t); have != 77 {
			t.Errorf("%d unread as of the head before, want 77", have)
		}
		head.Offset += 2
		if have := got(n.notices.unreadAt(n.db.Read.WithContext(t.Context()), ann, head))(t); have != 3 {
			t.Errorf("%d unread as of another head, want what a look at the inbox gives", have)
		}
		head = got(n.journal.Head(t.Context()))(t)
		got(n.notices.Mark(t.Context(), ann, Marking{UpTo: new(n.journal.Position(head.Offset)), Read: new(true)}))(t)
		must(t, n.hub.Await(t.Context(), n.journal.Committed()))
		if have, sure := n.notices.knownUnread(ann, head); sure {
			t.Errorf("%d unread are known as of before a mark", have)
		}
	})
}

// TestMarkOfManyUnread: where very many are unread, only what is marked is counted; of few all are, whatever memory says.
func TestMarkOfManyUnread(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		system, ann := n.system(t), n.person(t, "ann")
		first := n.publish(t, system, Target{Users: []string{"ann"}}, titled("first"))
		n.publish(t, system, Target{Users: []string{"ann"}}, titled("second"))
		read, unread := true, false
		marked := func(remembered int64, m Marking) int64 {
			t.Helper()
			must(t, n.hub.Await(t.Context(), n.journal.Committed()))
			known := got(n.summarise(t.Context(), ann, 0))(t)
			known.Unread = remembered
			n.summaries.put(ann.ID, known)
			return got(n.notices.Mark(t.Context(), ann, m))(t).Unread
		}
		one, twice := Marking{IDs: []int64{first.ID}, Read: &read}, Marking{IDs: []int64{first.ID, first.ID}, Read: &read}
		if have := marked(recountsUpTo, one); have != 1 {
			t.Errorf("%d unread, want the 1 that is", have)
		}
		if have := marked(5_000, one); have != 5_000 {
			t.Errorf("%d unread after it was read once more", have)
		}
		if have := marked(5_000, Marking{IDs: []int64{first.ID}, Read: &unread}); have != 5_001 {
			t.Errorf("%d unread after one is again", have)
		}
		if have := marked(5_001, twice); have != 5_000 {
			t.Errorf("%d unread after one was read", have)
		}
		at := n.journal.Position(n.journal.Committed())
		if have := marked(5_000, Marking{UpTo: &at, Read: &read}); have != 0 {
			t.Errorf("%d unread after all were read", have)
		}
	})
}

func TestWarmReadsWhatAHelloSays(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		system, ann := n.system(t), n.person(t, "ann")
		bob := n.person(t, "bob")
		got(n.groups.Add(t.Context(), "crew", ""))(t)
		must(t, n.groups.Join(t.Context(), "crew", "bob"))
		n.publish(t, system, Target{Users: []string{"ann"}}, titled("one"))
		soon := titled("expires")
		soon.ExpiresAt = new(models.InstantOf(time.Now().Add(time.Hour)))
		n.publish(t, system, Target{Groups: []string{"crew"}}, soon)
		n.publish(t, system, Target{Everyone: true}, titled("three"))
		n.signIn(t, "ann")
		n.signIn(t, "bob")
		all := got(n.notices.summariseAll(t.Context(), ann.ID, bob.ID, 4711))(t)
		if len(all) != 2 || all[ann.ID].Unread != 2 || all[bob.ID].Unread != 2 || all[ann.ID].Until != 0 || all[bob.ID].Until != *soon.ExpiresAt || len(all[bob.ID].Grants) != 3 {
			t.Errorf("%+v", all)
		}
		fresh := newNodeOn(t, n)
		for _, user := range []*models.User{ann, bob} {
			known, ok := fresh.summaries.get(user.ID, 0, models.InstantOf(time.Now()))
			if ok != (n.db.Dialect == Postgres) || (ok && known.Unread != 2) {
				t.Errorf("%s: %v, %+v", user.Username, ok, known)
			}
		}
	})
}

// TestSummaryReadBesideTheLog is one that was read before, or after, entries that the node had not, or had already,
// handed on.
func TestSummaryReadBesideTheLog(t *testing.T) {
	t.Parallel()
	notice := func(offset int64) *journal.Entry {
		return &journal.Entry{Offset: offset, Kind: kindNotice, Audiences: []string{"user:1", "everyone"}}
	}
	read := func(at int64) Summary {
		return Summary{Head: journal.Head{Offset: at}, Unread: at, Grants: []journal.Grant{{Audience: "user:1"}, {Audience: "everyone"}}}
	}
	for _, at := range []int64{3, 5, 8} {
		s := newSummaries(0)
		for offset := int64(1); offset <= 5; offset++ {
			s.apply(notice(offset))
		}
		s.put(1, read(at))
		for offset := int64(6); offset <= 10; offset++ {
			s.apply(notice(offset))
		}
		if known, ok := s.get(1, 0, 1); !ok || known.Unread != 10 || known.Head.Offset != 10 {
			t.Errorf("read at %d: %v, %d as of %d", at, ok, known.Unread, known.Head.Offset)
		}
	}
	s := newSummaries(0)
	for offset := int64(1); offset <= 3*lateEntries; offset++ {
		s.apply(notice(offset))
	}
	s.put(1, read(5))
	if _, ok := s.get(1, 0, 1); ok {
		t.Error("a summary from before all that is remembered counts")
	}
	s.put(1, read(3*lateEntries))
	if _, ok := s.get(1, 7, 1); ok {
		t.Error("a summary from before a trimming counts")
	}
	s.apply(&journal.Entry{Offset: 3*lateEntries + 1, Kind: kindMembership, Audiences: []string{"user:1"}})
	if _, ok := s.get(1, 0, 1); ok || len(s.by) != 0 {
		t.Errorf("a summary from before a group was joined counts, or is still indexed: %v", s.by)
	}
}

// TestSummaryHoldsUntilWhatIsBackExpires: the count of somebody who took a notice back into the inbox ends with that notice.
func TestSummaryHoldsUntilWhatIsBackExpires(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		ann := n.person(t, "ann")
		hour := models.InstantOf(time.Now().Add(time.Hour))
		for name, there := range map[string]Marking{"archived": {Archived: new(true)}, "read": {Read: new(true)}, "snoozed": {Snooze: &Snooze{Until: &hour}}} {
			c := titled("%s", name)
			c.ExpiresAt = &hour
			id := n.publish(t, n.system(t), Target{Users: []string{"ann"}}, c).ID
			back := Marking{Archived: new(false)}
			switch name {
			case "read":
				back = Marking{Read: new(false)}
			case "snoozed":
				back = Marking{Snooze: &Snooze{}}
			}
			for i, m := range []Marking{there, back, {Archived: new(true)}} {
				m.IDs = []int64{id}
				got(n.notices.Mark(t.Context(), ann, m))(t)
				must(t, n.hub.Await(t.Context(), n.journal.Committed()))
				if s, ok := n.summaries.get(ann.ID, n.journal.Trimmed(), hour+1); ok && i == 1 {
					t.Errorf("%s: %+v", name, s)
				}
				n.journal.Forget() // what was known while it was there
				got(n.summarise(t.Context(), ann, 0))(t)
			}
		}
	})
}
