package announce_test

import (
	"context"
	"math"
	"testing"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"

	"belfry/internal/testpg"
	"belfry/services/announce"
)

// grows is an announcer that tells what lies beside the log.
type grows interface {
	Grew(id, end int64)
	Growths() <-chan announce.Growth
}

// heardOf waits until a growth has come, and gives all that came before it.
func heardOf(t *testing.T, n grows, last announce.Growth) (ends map[int64][]int64) {
	t.Helper()
	ends = map[int64][]int64{}
	for tooLate := time.After(patience); ; {
		select {
		case g := <-n.Growths():
			if ends[g.ID] = append(ends[g.ID], g.End); g == last {
				return ends
			}
		case <-tooLate:
			t.Fatalf("no %+v came: %v", last, ends)
		}
	}
}

// passesOn has one node tell another of many growths, of which the last of each is what counts: of more than fit into one
// message, under numbers as long as there are.
func passesOn(t *testing.T, from, to grows) {
	t.Helper()
	const ids, times, base = 200, 10_000, 1 << 62
	for end := range int64(times) {
		from.Grew(base+end%ids, base+end)
	}
	last := announce.Growth{ID: math.MaxInt64, End: math.MaxInt64}
	from.Grew(last.ID, last.End)
	from.Grew(last.ID, 1) // late
	ends := heardOf(t, to, last)
	// They are told as they lie, those behind the first message later.
	for tooLate := time.After(patience); ; {
		missing := ids + 1 - len(ends)
		for id, told := range ends {
			if id != last.ID && told[len(told)-1] != times-ids+id {
				missing++
			}
		}
		if missing == 0 {
			break
		}
		select {
		case g := <-to.Growths():
			ends[g.ID] = append(ends[g.ID], g.End)
		case <-tooLate:
			t.Fatalf("of %d that have grown %d were not told to their ends", ids+1, missing)
		}
	}
	for id, told := range ends {
		if len(told) > times/ids/2 {
			t.Errorf("%d was told %d times of %d", id, len(told), times/ids)
		}
	}
}

func TestPostgresTellsOfGrowth(t *testing.T) {
	t.Parallel()
	address := testpg.Database(t)
	var nodes []*announce.Postgres
	for range 2 {
		n := announce.NewPostgres(address, quiet)
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan struct{})
		go func() { defer close(done); n.Run(ctx) }()
		t.Cleanup(func() { cancel(); <-done })
		awaitHint(t, n) // it listens
		nodes = append(nodes, n)
	}
	passesOn(t, nodes[0], nodes[1])
	select {
	case g := <-nodes[0].Growths():
		t.Errorf("a node is told %+v by itself", g)
	default:
	}
}

func TestNATSTellsOfGrowth(t *testing.T) {
	t.Parallel()
	bus := natsServer(t, natsserver.Options{}).ClientURL()
	first, second := hear(t, announce.NATSSettings{URL: bus}, &memory{epoch: "e"}), hear(t, announce.NATSSettings{URL: bus}, &memory{epoch: "e"})
	passesOn(t, first, second)
	stranger := hear(t, announce.NATSSettings{URL: bus, Secret: []byte("another installation, another key")}, &memory{epoch: "e"})
	stranger.Grew(1, 1)
	passesOn(t, second, first)
}
