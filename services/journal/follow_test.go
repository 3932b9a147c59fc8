package journal_test

import (
	"sync/atomic"
	"testing"
	"time"

	"belfry/internal/testpg"
	"belfry/services"
	"belfry/services/journal"
)

func TestFollowWithHintsLostOrDoubled(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		noise := make(chan struct{}, 100)
		for range cap(noise) {
			noise <- struct{}{} // hints for nothing, and more than entries
		}
		doubled := n.follow(t, noise)
		for i := range 20 {
			n.append(t, draft("everyone", i))
			noise <- struct{}{}
			noise <- struct{}{}
		}
		for offset := range int64(20) {
			doubled.next(t, offset+1)
		}
	})
}

func TestFollowWithoutAnyHint(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		f := n.follow(t, nil)
		for i := range 20 {
			n.append(t, draft("everyone", i))
		}
		for offset := range int64(20) {
			f.next(t, offset+1)
		}
		if n.Cursor() < 19 {
			t.Errorf("cursor %d after 20 entries", n.Cursor())
		}
	})
}

// TestFollowBeginsAStretchBeforeTheHead: those who come to a node that just started find in its memory
// what they missed. What was trimmed is not looked for.
func TestFollowBeginsAStretchBeforeTheHead(t *testing.T) {
	t.Parallel()
	address := testpg.Database(t)
	a := open(t, address)
	for i := range 3 {
		a.append(t, draft("everyone", i))
	}
	a.run(t, "DELETE FROM entries WHERE log_offset = 1")
	a.run(t, "UPDATE log_head SET trimmed = 1")
	b := open(t, address)
	if _, fresh := b.Fresh(); b.Cursor() != 1 || fresh {
		t.Errorf("cursor %d, fresh %v", b.Cursor(), fresh)
	}
	f := b.follow(t, nil)
	f.next(t, 2)
	f.next(t, 3)
	began := time.Now()
	a.append(t, draft("everyone", "new"))
	f.next(t, 4)
	now, fresh := b.Fresh()
	if !fresh && time.Since(began) > time.Second { // it was, and a busy machine has forgotten this process since
		return
	}
	if !fresh || now < began.Add(-time.Second).UnixMilli() || now > time.Now().Add(time.Second).UnixMilli() {
		t.Errorf("right after all was handed on: fresh %v, at %d", fresh, now)
	}
}

// TestObserversSeeWhatIsCommittedBeforeTheCaller: what they make void is void when the caller is answered.
func TestObserversSeeWhatIsCommittedBeforeTheCaller(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		var seen atomic.Int64
		n.Observe(func(e *journal.Entry) { seen.Store(max(seen.Load(), e.Offset)) }, func() {})
		for i := range int64(5) {
			n.append(t, draft("everyone", i))
			if seen.Load() != i+1 {
				t.Fatalf("answered for %d while observers had seen %d", i+1, seen.Load())
			}
		}
	})
}

// TestOfferedEntriesCountOnlyWhereTheyContinue: what another node tells is taken for what it is worth.
func TestOfferedEntriesCountOnlyWhereTheyContinue(t *testing.T) {
	t.Parallel()
	address := testpg.Database(t)
	a, b := open(t, address), open(t, address)
	f := b.follow(t, b.local.Hints())
	offer := func(epoch string, offsets ...int64) {
		for _, offset := range offsets {
			b.Offer(epoch, []journal.Entry{{Offset: offset, Kind: "offered", Payload: []byte("{}")}})
		}
		b.local.Announce(epoch, nil)
	}
	offer("another", 1)
	offer(a.Epoch(), 3, 2, 2) // nothing continues yet
	a.append(t, draft("everyone", 1))
	a.append(t, draft("everyone", 2))
	a.append(t, draft("everyone", 3))
	b.local.Announce(a.Epoch(), nil)
	if e := f.next(t, 1); e.Kind != "test" {
		t.Errorf("entry 1 is %q, as offered under another epoch", e.Kind)
	}
	f.next(t, 2)
	f.next(t, 3)
	offer(a.Epoch(), 4)
	if e := f.next(t, 4); e.Kind != "offered" {
		t.Errorf("entry 4 is %q, not what was offered", e.Kind)
	}
}

func TestTwoNodesShareOneLog(t *testing.T) {
	t.Parallel()
	address := testpg.Database(t)
	a, b := open(t, address), open(t, address)
	fa, fb := a.follow(t, a.local.Hints()), b.follow(t, b.local.Hints())
	const each = 150
	done := make(chan struct{}, 2)
	for _, n := range []*node{a, b} {
		go func() {
			for i := range each {
				if _, err := n.Append(t.Context(), draft("everyone", i)); err != nil {
					t.Error(err)
				}
			}
			done <- struct{}{}
		}()
	}
	<-done
	<-done
	for offset := int64(1); offset <= 2*each; offset++ {
		x, y := fa.next(t, offset), fb.next(t, offset)
		if string(x.Payload) != string(y.Payload) || x.CreatedAt != y.CreatedAt {
			t.Errorf("offset %d is %s on one node and %s on the other", offset, x.Payload, y.Payload)
		}
	}
	// Both repeat the same request: the log knows it whoever took it first.
	if r := a.append(t, repeatable("user:1", "k", "d")); r.Replayed {
		t.Errorf("first: %+v", r)
	}
	if r := b.append(t, repeatable("user:1", "k", "d")); !r.Replayed || r.Offset != 2*each+1 {
		t.Errorf("the same on the other node: %+v", r)
	}
}

// TestFollowNeverStepsOverAHole takes an entry away before the node could read it, and gives it back.
func TestFollowNeverStepsOverAHole(t *testing.T) {
	t.Parallel()
	address := testpg.Database(t)
	writer, reader := open(t, address), open(t, address)
	for i := range 3 {
		writer.append(t, draft("everyone", i))
	}
	writer.run(t, "CREATE TABLE aside AS SELECT * FROM entries WHERE log_offset = 2")
	writer.run(t, "DELETE FROM entries WHERE log_offset = 2")
	hints := make(chan struct{})
	f := reader.follow(t, hints)
	for range 3 {
		hints <- struct{}{} // unbuffered: each is taken after the look that the one before caused
	}
	f.next(t, 1)
	if reader.Cursor() != 1 || len(f.entries) != 0 {
		t.Fatalf("cursor %d and %d more entries before the hole was filled", reader.Cursor(), len(f.entries))
	}
	if _, fresh := reader.Fresh(); fresh {
		t.Error("it trusts what it remembers, though it has not seen what lies behind the hole")
	}
	writer.run(t, "INSERT INTO entries SELECT * FROM aside")
	f.next(t, 2)
	f.next(t, 3)
}

func TestNewEpochIsNoticed(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		f := n.follow(t, n.local.Hints())
		n.append(t, draft("everyone", 1))
		f.next(t, 1)
		before := n.Epoch()
		must(t, n.NewEpoch(t.Context()))
		f.awaitLost(t)
		if after := n.Epoch(); after == before || after == "" {
			t.Errorf("epoch %q, then %q", before, after)
		}
		if _, ok := journal.ParsePosition(n.Position(1).String()); !ok {
			t.Errorf("%s is no position", n.Position(1))
		}
		n.append(t, draft("everyone", 2))
		f.next(t, 2)
	})
}

// TestHeadBehindTheCursor is a database restored from a backup under a running node.
func TestHeadBehindTheCursor(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		f := n.follow(t, n.local.Hints())
		for i := range 5 {
			n.append(t, draft("everyone", i))
		}
		for offset := range int64(5) {
			f.next(t, offset+1)
		}
		before := n.Epoch()
		n.run(t, "DELETE FROM entries WHERE log_offset > 2")
		n.run(t, "DELETE FROM recipients WHERE log_offset > 2")
		n.run(t, "UPDATE log_head SET head = 2")
		f.awaitLost(t)
		if n.Epoch() == before {
			t.Error("the epoch stayed, though offsets will be given again")
		}
		if n.Cursor() != 2 {
			t.Errorf("cursor %d, want 2", n.Cursor())
		}
		n.append(t, draft("everyone", "again"))
		f.next(t, 3)
	})
}

// TestNodeThatSleptLongerThanEntriesAreKept has a cursor that lies before what was trimmed.
func TestNodeThatSleptLongerThanEntriesAreKept(t *testing.T) {
	t.Parallel()
	address := testpg.Database(t)
	writer, sleeper := open(t, address), open(t, address)
	for i := range 4 {
		writer.append(t, draft("everyone", i))
	}
	writer.run(t, "DELETE FROM entries WHERE log_offset <= 3")
	writer.run(t, "UPDATE log_head SET trimmed = 3")
	f := sleeper.follow(t, nil)
	f.awaitLost(t)
	if sleeper.Cursor() != 4 || len(f.entries) != 0 {
		t.Errorf("cursor %d, %d entries", sleeper.Cursor(), len(f.entries))
	}
	if writer.db.Dialect != services.Postgres {
		t.Error("two nodes need PostgreSQL")
	}
	writer.append(t, draft("everyone", "new"))
	f.next(t, 5)
}
