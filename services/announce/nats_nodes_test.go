package announce_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"belfry/internal/testpg"
	"belfry/services"
	"belfry/services/announce"
	"belfry/services/journal"
)

// follower is a journal on a shared database, as each node has one, and what its tail hands on.
type follower struct {
	*journal.Journal
	db      *services.Database
	entries chan journal.Entry
}

func follow(t *testing.T, database, bus string) *follower {
	t.Helper()
	db, err := services.OpenDatabase(t.Context(), database)
	must(t, err)
	t.Cleanup(func() { must(t, db.Close()) })
	n, err := announce.NewNATS(announce.NATSSettings{URL: bus, Secret: []byte(secret)}, quiet)
	must(t, err)
	f := &follower{db: db, entries: make(chan journal.Entry, 10_000)}
	f.Journal, err = journal.Open(t.Context(), db.Read, db.Write, n, quiet)
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { n.Run(ctx, f.Journal) })
	awaitHint(t, n)
	running.Go(func() {
		f.Follow(ctx, n.Hints(), func(e journal.Entry) { f.entries <- e }, func(journal.Head) { t.Error("positions became void") })
	})
	t.Cleanup(func() { f.Close(); cancel(); running.Wait() })
	return f
}

func (f *follower) publish(t *testing.T, name string) int64 {
	t.Helper()
	receipts, err := f.Append(t.Context(), journal.Draft{Kind: "test", Audiences: []string{"everyone"}, Payload: fmt.Appendf(nil, "%q", name)})
	must(t, err)
	return receipts[0].Offset
}

// next holds the entry that comes now to its place and its payload.
func (f *follower) next(t *testing.T, offset int64, name string) {
	t.Helper()
	select {
	case e := <-f.entries:
		if e.Offset != offset || e.Kind != "test" || string(e.Payload) != fmt.Sprintf("%q", name) {
			t.Fatalf("%d %s %s came where %d %q was due", e.Offset, e.Kind, e.Payload, offset, name)
		}
	case <-time.After(patience):
		t.Fatalf("entry %d did not come", offset)
	}
}

// TestNodesTellEachOther, and what they tell is enough: a node whose own database connection is gone
// still gets each entry.
func TestNodesTellEachOther(t *testing.T) {
	t.Parallel()
	database, bus := testpg.Database(t), natsServer(t, natsserver.Options{}).ClientURL()
	a, b := follow(t, database, bus), follow(t, database, bus)
	for i := range 20 {
		from := []*follower{a, b}[i%2]
		name := fmt.Sprint("both ", i)
		offset := from.publish(t, name)
		a.next(t, offset, name)
		b.next(t, offset, name)
	}
	must(t, b.db.Close())
	for i := range 20 {
		name := fmt.Sprint("carried ", i)
		offset := a.publish(t, name)
		b.next(t, offset, name)
	}
}

// TestHintsAreNotTruth puts a bus between two nodes that loses, doubles, delays and forges: every entry
// arrives once, in order, and nothing else does.
func TestHintsAreNotTruth(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	left, right := natsServer(t, natsserver.Options{}), natsServer(t, natsserver.Options{})
	database := testpg.Database(t)
	a, b := follow(t, database, left.ClientURL()), follow(t, database, right.ClientURL())
	over := make(chan struct{})
	var bridge sync.WaitGroup
	bridge.Go(func() { unreliable(random, newSpy(t, left).heard, newSpy(t, right), over) })
	const many = 500
	var offsets []int64
	for i := range many {
		offsets = append(offsets, a.publish(t, fmt.Sprint(i)))
	}
	for i, offset := range offsets {
		a.next(t, offset, fmt.Sprint(i))
		b.next(t, offset, fmt.Sprint(i))
	}
	close(over)
	bridge.Wait()
	select {
	case e := <-b.entries:
		t.Errorf("unexpected: %+v", e)
	default:
	}
}

// unreliable brings hints from one bus to another as badly as a network and an enemy can.
func unreliable(random *rand.Rand, from <-chan *nats.Msg, to *spy, over <-chan struct{}) {
	var held []*nats.Msg
	for {
		var m *nats.Msg
		select {
		case <-over:
			return
		case m = <-from:
		}
		held = append(held, m)
		if random.IntN(2) == 0 {
			continue // late, and behind others
		}
		random.Shuffle(len(held), func(i, k int) { held[i], held[k] = held[k], held[i] })
		for _, old := range held {
			for range random.IntN(3) { // not at all, once, twice
				_ = to.Publish(old.Subject, old.Data)
			}
			forged := bytes.ReplaceAll(old.Data, []byte(`"Kind":"test"`), []byte(`"Kind":"fake"`))
			_ = to.Publish(old.Subject, forged)
		}
		held = held[:random.IntN(len(held)+1)] // some come once more
	}
}
