package faults_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"belfry/bench/server"
	"belfry/bench/stream"
)

const (
	users      = 8
	publishers = 64
	everyN     = 50 // one in so many letters is wrong on purpose
	tryAgain   = 20 * time.Millisecond
	// patience is how long anything that has to happen may take on a busy machine.
	patience = 30 * time.Second
	lastly   = "that was all"
)

// load publishes at a rate to people who read, and keeps the ledger of both.
type load struct {
	*ledger
	t       testing.TB
	seed    uint64
	rate    int // letters a second, over all publishers
	people  []string
	callers []*server.Caller // to publish through; a publisher keeps to one
	readers []*stream.Reader

	due      chan struct{} // one for each letter that is to be sent now
	late     atomic.Int64  // letters that were due when all publishers had their hands full
	down     atomic.Bool   // nothing is due while the server is known to be away
	ackCount atomic.Int64
	pings    atomic.Int64 // that readers got
	begun    atomic.Int64 // streams that readers have opened, again ones included
	up       uptime
	sending  sync.WaitGroup
	reading  sync.WaitGroup
	stop     context.CancelFunc
}

// uptime counts what is acknowledged while nothing is broken, or all the time where others go on. What piled up during a fault and is
// acknowledged on the way back says nothing about a rate.
type uptime struct {
	since time.Time
	acks  int64 // at since
	took  time.Duration
	sum   int64
}

// begin and end bound a stretch without a fault.
func (u *uptime) begin(acks int64) { u.since, u.acks = time.Now(), acks }

func (u *uptime) end(acks int64) {
	u.took += time.Since(u.since)
	u.sum += acks - u.acks
}

func (u *uptime) rate() float64 { return float64(u.sum) / u.took.Seconds() }

// people makes the users and the group of a load on a database, and a key; the node must not run yet.
func people(n *server.Node) (names []string, key string) {
	for i := range users {
		names = append(names, fmt.Sprintf("ringer%d", i))
	}
	n.AddUser(names...)
	n.AddGroup("odd", names[1], names[3], names[5], names[7])
	return names, n.AddKey("load", "notices:write")
}

// read opens a stream of each user at each node and returns when all of them have begun.
func (l *load) read(nodes ...*server.Node) {
	l.t.Helper()
	for i, name := range l.people {
		caller := nodes[0].Login(l.t, name)
		for k, node := range nodes {
			reader := stream.New(node.Base, "/sse/stream", caller.Cookie)
			l.readers = append(l.readers, reader)
			l.reading.Go(func() { l.follow(reader, fmt.Sprintf("%s/%d-%d", name, i, k)) })
		}
	}
	l.awaitStreams(len(l.readers))
}

// awaitStreams waits until readers have opened n streams in all since the load was made.
func (l *load) awaitStreams(n int) {
	l.t.Helper()
	l.await(fmt.Sprintf("%d streams opened", n), func() bool { return l.begun.Load() >= int64(n) })
}

// awaitAcks waits until n more letters were acknowledged.
func (l *load) awaitAcks(n int) {
	l.t.Helper()
	want := l.ackCount.Load() + int64(n)
	l.await(fmt.Sprintf("%d more letters acknowledged", n), func() bool { return l.ackCount.Load() >= want })
}

func (l *load) await(what string, reached func() bool) {
	l.t.Helper()
	deadline, tick := time.After(patience), time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !reached() {
		select {
		case <-tick.C:
		case <-deadline:
			l.t.Fatalf("not after %v: %s", patience, what)
		}
	}
}

func (l *load) follow(reader *stream.Reader, name string) {
	l.mu.Lock()
	l.received[name] = nil // who gets nothing is asked for too
	l.mu.Unlock()
	ctx, cancel := context.WithTimeout(l.t.Context(), 10*time.Minute)
	defer cancel()
	err := reader.Follow(ctx, func(e stream.Event) bool {
		switch e.Name {
		case "hello":
			l.begun.Add(1)
		case "ping":
			l.pings.Add(1)
		case "notice":
			var notice struct {
				Title string
				Data  letter
			}
			if err := json.Unmarshal([]byte(e.Data), &notice); err != nil {
				l.t.Errorf("%s: a notice that cannot be read: %v: %q", name, err, e.Data)
			}
			if notice.Title == lastly {
				return false
			}
			l.got(name, received{cursor: e.ID, letter: notice.Data, at: time.Now()})
		}
		return true
	})
	if err != nil && l.t.Context().Err() == nil {
		l.t.Errorf("%s: %v", name, err)
	}
}

// publish starts the publishers.
func (l *load) publish() {
	ctx, cancel := context.WithCancel(context.Background())
	l.stop = cancel
	l.due = make(chan struct{}, publishers)
	for i := range publishers {
		caller := l.callers[i%len(l.callers)]
		l.sending.Go(func() { l.publisher(ctx, i, caller) })
	}
	l.sending.Go(func() { l.pace(ctx) })
	l.up.begin(0)
	l.t.Cleanup(func() { // a test that broke off leaves nobody behind
		cancel()
		l.sending.Wait()
		l.reading.Wait()
	})
}

// pace says when a letter is due.
func (l *load) pace(ctx context.Context) {
	const every = 5 * time.Millisecond
	tick := time.NewTicker(every)
	defer tick.Stop()
	for began, asked := time.Now(), 0; ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for due := int(time.Since(began).Seconds() * float64(l.rate)); asked < due; asked++ {
			if l.down.Load() {
				continue
			}
			select {
			case l.due <- struct{}{}:
			default:
				l.late.Add(1)
			}
		}
	}
}

// publisher sends one letter after the other: only when it knows what became of one it goes on.
func (l *load) publisher(ctx context.Context, me int, caller *server.Caller) {
	dice := rand.New(rand.NewPCG(l.seed, uint64(me)))
	for number := 1; ; number++ {
		select {
		case <-ctx.Done():
			return
		case <-l.due:
		}
		which := letter{me, number}
		to, readers := l.address(dice)
		if (number+me)%everyN == 0 {
			to["users"] = append(readers[:1:1], "nobody-of-this-name")
		}
		line := l.send(caller, which, to)
		line.to = readers
		l.note(which, line)
		if line.outcome == acked || line.outcome == replayed {
			l.ackCount.Add(1)
		}
	}
}

// address draws for whom a letter is, and says who is to read it.
func (l *load) address(dice *rand.Rand) (to map[string]any, readers []string) {
	switch draw := dice.IntN(100); {
	case draw < 2:
		return map[string]any{"everyone": true}, l.people
	case draw < 6:
		return map[string]any{"groups": []string{"odd"}}, []string{l.people[1], l.people[3], l.people[5], l.people[7]}
	case draw < 20:
		i := dice.IntN(users - 1)
		return map[string]any{"users": l.people[i : i+2]}, l.people[i : i+2]
	default:
		i := dice.IntN(users)
		return map[string]any{"users": l.people[i : i+1]}, l.people[i : i+1]
	}
}

// send repeats a request under its key until the answer is known.
func (l *load) send(caller *server.Caller, which letter, to map[string]any) sent {
	key := fmt.Sprintf("%d-%d-%d", l.seed, which.Publisher, which.Number)
	notice := map[string]any{"to": to, "title": "toll", "data": which}
	for {
		answer, err := caller.Call(context.Background(), http.MethodPost, "/api/v1/notices", notice, "Idempotency-Key", key)
		switch {
		case err == nil && answer.Status == http.StatusCreated:
			var published server.Published
			if err := json.Unmarshal(answer.Body, &published); err != nil || published.Cursor == "" {
				l.t.Errorf("an ack without a cursor: %q", answer.Body)
			}
			if answer.Header.Get("Idempotency-Replayed") == "true" {
				return sent{outcome: replayed, cursor: published.Cursor}
			}
			return sent{outcome: acked, cursor: published.Cursor}
		case err == nil && answer.Status == http.StatusUnprocessableEntity:
			return sent{outcome: refused}
		case err == nil && answer.Status != http.StatusServiceUnavailable:
			l.t.Errorf("publish: %d %s", answer.Status, answer.Body)
			return sent{outcome: unknown}
		case err == nil && answer.Header.Get("Retry-After") == "":
			l.t.Error("503 without Retry-After")
		}
		l.noteRetry(err == nil)
		select {
		case <-time.After(tryAgain):
		case <-l.t.Context().Done():
			return sent{outcome: unknown}
		}
	}
}

// finish stops publishing, sends everybody a last notice and returns when all readers have it.
func (l *load) finish() balance {
	l.t.Helper()
	l.up.end(l.ackCount.Load())
	l.stop()
	l.sending.Wait()
	l.callers[0].Publish(l.t, map[string]any{"to": map[string]any{"everyone": true}, "title": lastly})
	all := make(chan struct{})
	go func() { l.reading.Wait(); close(all) }()
	select {
	case <-all:
	case <-time.After(patience):
		l.t.Errorf("some readers have not got the last notice after %v", patience)
	}
	return l.balance()
}
