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
	// giveUp is one in how many letters is not sent again when its outcome is unknown; 0 = none.
	giveUp int
	// forgives has a 500 count as busy, and forgiven counts them. Versions before the one that learned to live with a column that is
	// added answer so, once a connection, while the schema grows under them.
	forgives atomic.Bool
	forgiven atomic.Int64

	due      chan struct{} // one for each letter that is to be sent now
	late     atomic.Int64  // letters that were due when all publishers had their hands full
	down     atomic.Bool   // nothing is due while the server is known to be away
	ackCount atomic.Int64
	pings    atomic.Int64 // that readers got
	begun    atomic.Int64 // streams that readers have opened, again ones included
	opened   []time.Time  // when; held by the ledger's lock
	up       uptime
	probes   probes
	sending  sync.WaitGroup
	reading  sync.WaitGroup
	stop     context.CancelFunc // of the publishers
	leave    context.CancelFunc // of the readers
	present  context.Context    // ends with leave
}

func newLoad(t testing.TB, rate int, people []string, callers ...*server.Caller) *load {
	l := &load{ledger: newLedger(), t: t, seed: *seed, rate: rate, people: people, callers: callers}
	l.present, l.leave = context.WithCancel(context.Background())
	l.stop = func() {}
	t.Cleanup(func() { // a test that broke off leaves nobody behind
		l.stop()
		l.leave()
		l.sending.Wait()
		l.reading.Wait()
	})
	return l
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
	n.AddGroup("odd", odd(names)...)
	return names, n.AddKey("load", "notices:write")
}

// odd is who is in the group.
func odd(names []string) []string { return []string{names[1], names[3], names[5], names[7]} }

// read opens a stream of each user at each node and returns when all of them have begun.
func (l *load) read(nodes ...*server.Node) {
	l.t.Helper()
	for _, name := range l.people {
		caller := nodes[0].Login(l.t, name)
		for k, node := range nodes {
			l.follow(stream.New(node.Base, "/sse/stream", caller.Cookie), fmt.Sprintf("%s/%d", name, k))
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
	if !within(patience, reached) {
		l.t.Fatalf("not after %v: %s", patience, what)
	}
}

// within looks again and again until something is so, and says whether it became so in time.
func within(limit time.Duration, reached func() bool) bool {
	deadline, tick := time.After(limit), time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !reached() {
		select {
		case <-tick.C:
		case <-deadline:
			return false
		}
	}
	return true
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

// publisher sends one letter after the other: only when it knows what became of one, or gave up, it goes on.
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
		givesUp := l.giveUp > 0 && dice.IntN(l.giveUp) == 0
		l.note(which, sent{to: readers, asked: time.Now()}) // a reader may be faster than the answer
		line := l.send(caller, which, to, givesUp)
		line.to = readers
		l.note(which, line)
		if line.outcome == acked || line.outcome == replayed {
			l.ackCount.Add(1)
		}
	}
}

// address draws for whom a letter is, and says who is to read it. The more people there are, the fewer
// letters are for everyone: their number of deliveries would be all that is measured.
func (l *load) address(dice *rand.Rand) (to map[string]any, readers []string) {
	n := len(l.people)
	switch draw := dice.IntN(1000); {
	case draw < max(2, 160/n):
		return map[string]any{"everyone": true}, l.people
	case draw < 50:
		return map[string]any{"groups": []string{"odd"}}, odd(l.people)
	case draw < 200:
		i := dice.IntN(n - 1)
		return map[string]any{"users": l.people[i : i+2]}, l.people[i : i+2]
	default:
		i := dice.IntN(n)
		return map[string]any{"users": l.people[i : i+1]}, l.people[i : i+1]
	}
}

// send repeats a request under its key until the answer is known, or the publisher gives up.
func (l *load) send(caller *server.Caller, which letter, to map[string]any, givesUp bool) sent {
	asked := time.Now()
	for {
		line, busy := l.try(caller, which, to)
		line.asked, line.told = asked, time.Now()
		if line.outcome != unknown {
			return line
		}
		l.noteRetry(busy)
		if givesUp && !busy || l.present.Err() != nil {
			return line
		}
		time.Sleep(tryAgain)
	}
}

// try sends a letter once. busy says that the server answered 503.
func (l *load) try(caller *server.Caller, which letter, to map[string]any) (line sent, busy bool) {
	return l.tryWith(caller, which, map[string]any{"to": to, "title": "toll", "data": which})
}

func (l *load) tryWith(caller *server.Caller, which letter, notice map[string]any) (line sent, busy bool) {
	key := fmt.Sprintf("%d-%d-%d", l.seed, which.Publisher, which.Number)
	answer, err := caller.Call(context.Background(), http.MethodPost, "/api/v1/notices", notice, "Idempotency-Key", key)
	if err != nil {
		return sent{}, false
	}
	who := fmt.Sprint(which)
	switch answer.Status {
	case http.StatusCreated:
		var published server.Published
		if err := json.Unmarshal(answer.Body, &published); err != nil || published.Cursor == "" {
			l.breaks(broken, who, "an ack without a cursor: %q", answer.Body)
		}
		line := sent{outcome: acked, at: positionOf(published.Cursor)}
		if answer.Header.Get("Idempotency-Replayed") == "true" {
			line.outcome = replayed
		}
		return line, false
	case http.StatusUnprocessableEntity:
		return sent{outcome: refused}, false
	case http.StatusServiceUnavailable:
		if answer.Header.Get("Retry-After") == "" {
			l.breaks(broken, who, "503 without Retry-After")
		}
		return sent{}, true
	case http.StatusInternalServerError:
		if l.forgives.Load() {
			l.forgiven.Add(1)
			return sent{}, true
		}
	}
	l.breaks(broken, who, "publish: %d %s", answer.Status, answer.Body)
	return sent{}, false
}

// finish stops publishing, sends everybody a last letter, and sends the readers home when they have it.
func (l *load) finish() balance {
	l.t.Helper()
	b, wrong := l.close(nil)
	for i, found := range wrong {
		if i == 20 {
			l.t.Logf("and %d more", len(wrong)-i)
			break
		}
		l.t.Log(found)
	}
	return b
}

// close is finish for who wants the list of what went wrong, and to look at what there is in the end.
func (l *load) close(look func()) (balance, []anomaly) {
	l.up.end(l.ackCount.Load())
	l.stop()
	hopeless := time.AfterFunc(2*patience, l.leave) // a publisher asks until it is told
	l.sending.Wait()
	hopeless.Stop()
	if missing := l.probe(patience).missing(); len(missing) > 0 {
		l.breaks(broken, missing[0], "%d readers have not got the last letter after %v", len(missing), patience)
	}
	if look != nil {
		look()
	}
	l.leave()
	l.reading.Wait()
	return l.balance()
}
