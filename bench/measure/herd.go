package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"belfry/bench/server"
	"belfry/bench/statements"
)

const (
	// herdNodes is how many nodes there are: one is there while the other is restarted.
	herdNodes = 2
	// patience is how long anything that has to happen may take on a busy machine.
	patience  = 60 * time.Second
	lookEvery = 10 * time.Millisecond
)

// herd measures a rolling restart under thousands of open streams: how they come back, what that asks of
// the database, and that nothing is lost.
type herd struct {
	streams, people int
	tickets, same   bool
	drain           time.Duration
	rate            int
	settings        settings

	site    *site
	readers []*reader
	live    atomic.Int64 // streams that are open
}

func (h *herd) Flags(set *flag.FlagSet) {
	set.IntVar(&h.streams, "streams", 5000, "streams to open, spread over two nodes")
	set.IntVar(&h.people, "users", 200, "people whose streams they are; each has one session")
	set.BoolVar(&h.tickets, "tickets", false, "open streams with tickets that a key mints, not with cookies")
	set.BoolVar(&h.same, "same", false, "come back to the node that sent one away, not to the other one as behind a load balancer")
	set.DurationVar(&h.drain, "drain", 10*time.Second, "DRAIN of the nodes")
	set.IntVar(&h.rate, "rate", 20, "notices a second that are published meanwhile")
	h.settings.flag(set)
}

func (h *herd) Run(t testing.TB, out io.Writer) {
	h.site = newSite(t, statements.Setting)
	each := (h.streams + h.people - 1) / h.people
	base := []string{"DRAIN=" + h.drain.String(), "TICKET_TTL=1h", fmt.Sprintf("STREAMS_PER_USER=%d", max(32, each))}
	for range herdNodes {
		h.site.addNode(append(base, h.settings...)...)
	}
	h.site.addPeople(h.people)
	fmt.Fprintf(out, "herd: %d streams of %d people, DRAIN %v, %d notices/s; %s\n", h.streams, h.people, h.drain, h.rate, h.site.describe())
	credentials := h.credentials(t)

	load := newLoad(t, h.site, h.rate)
	starts := h.site.measure(func() { // what nodes ask when they start, and publishing to people they do not know yet
		h.rollingRestart(t)
		h.awaitRound(t, load)
	})
	stop := h.open(t, credentials)
	defer stop()

	var restarts []restart
	var back time.Duration
	began := time.Now()
	herd := h.site.measure(func() {
		restarts = h.rollingRestart(t)
		h.awaitLive(t)
		back = time.Since(began)
	})
	h.awaitRound(t, load)
	usual := h.site.measure(func() { await(t.Context(), time.Now().Add(herd.Took)) })
	last := load.finish()
	h.awaitOffset(t, last)
	stop()

	h.histogram(out, began, restarts, back)
	reportResumes(out, herd, usual, starts)
	h.balance(t, out, load)
}

// credentials are what each person's streams are opened with, as a line of the request's head.
func (h *herd) credentials(t testing.TB) (headers []string) {
	key := h.site.nodes[0].ByKey(h.site.secret)
	for i, name := range h.site.people {
		if h.tickets {
			var ticket struct{ Token string }
			key.Must(t, http.StatusCreated, http.MethodPost, "/api/v1/users/"+name+"/stream-tickets", nil, &ticket)
			headers = append(headers, "Authorization: Bearer "+ticket.Token)
			continue
		}
		headers = append(headers, "Cookie: "+h.site.nodes[i%herdNodes].Login(t, name).Cookie)
	}
	return headers
}

// open opens all streams, a few at a time, and returns when all are there.
func (h *herd) open(t testing.TB, credentials []string) (stop func()) {
	const atOnce = 32
	ctx, cancel := context.WithCancel(t.Context())
	var reading sync.WaitGroup
	opening := make(chan struct{}, atOnce)
	for i := range h.streams {
		r := &reader{herd: h, name: h.site.people[i%h.people], credential: credentials[i%h.people], node: i / h.people % herdNodes}
		h.readers = append(h.readers, r)
		opening <- struct{}{}
		r.opened = sync.OnceFunc(func() { <-opening })
		reading.Go(func() { r.follow(ctx) })
	}
	h.awaitLive(t)
	return sync.OnceFunc(func() {
		cancel()
		reading.Wait()
	})
}

func (h *herd) awaitLive(t testing.TB) {
	t.Helper()
	h.await(t, "all streams open", func() bool { return h.live.Load() == int64(h.streams) })
}

// awaitRound waits until everybody has been written to once more.
func (h *herd) awaitRound(t testing.TB, l *load) {
	t.Helper()
	round := l.next.Load() + int64(len(l.people))
	h.await(t, "a notice to everybody in turn", func() bool { return l.next.Load() >= round })
}

// awaitOffset waits until every stream has got as far.
func (h *herd) awaitOffset(t testing.TB, offset int64) {
	t.Helper()
	h.await(t, "the last notice on every stream", func() bool {
		for _, r := range h.readers {
			if r.at.Load() < offset {
				return false
			}
		}
		return true
	})
}

// await goes on without what does not come: what is missing shows in the table.
func (h *herd) await(t testing.TB, what string, reached func() bool) {
	t.Helper()
	deadline, tick := time.After(patience), time.NewTicker(lookEvery)
	defer tick.Stop()
	for !reached() {
		select {
		case <-tick.C:
		case <-t.Context().Done():
			t.Fatal("interrupted")
		case <-deadline:
			t.Errorf("not after %v: %s (%d of %d streams are open)", patience, what, h.live.Load(), h.streams)
			return
		}
	}
}

// restart is how one node went through it, from the beginning of the first one's.
type restart struct{ asked, gone, ready time.Duration }

// rollingRestart restarts one node after the other, as an orchestrator does: the next when the one before is ready.
func (h *herd) rollingRestart(t testing.TB) (restarts []restart) {
	t.Helper()
	began := time.Now()
	for _, node := range h.site.nodes {
		r := restart{asked: time.Since(began)}
		if err := terminate(node, h.drain); err != nil {
			t.Fatal(err)
		}
		r.gone = time.Since(began)
		node.MustStart()
		r.ready = time.Since(began)
		restarts = append(restarts, r)
	}
	return restarts
}

// terminate asks a node to end and waits until it has, with exit code 0.
func terminate(node *server.Node, drain time.Duration) error {
	if err := node.Process().Signal(syscall.SIGTERM); err != nil {
		return err
	}
	if err := node.Process().Await(drain + patience); err != nil {
		return err
	}
	if code := node.Process().ExitCode(); code != 0 {
		return fmt.Errorf("a node that was asked to end exited with %d:\n%s", code, node.LogTail())
	}
	return nil
}
