package faults_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"belfry/bench/server"
	"belfry/internal/testpg"
)

// lockElsewhere locks sessions on one node while hints do not reach the other, which has to refuse within
// the poll floor, and say nothing of a notice until the session is unlocked.
func lockElsewhere(t *testing.T, line *row) {
	w := newWorld(t, site{people: fewPeople, rate: lowRate, cluster: testpg.NewCluster(t)})
	w.callers = w.callers[1:2] // what a node commits itself, it need not be told
	w.publish()
	w.awaitAcks(lowRate)
	lift, err := holeListener(w, 1)
	if err != nil {
		t.Fatal(err)
	}
	sent := time.Now()
	if late := longest(w.probe(wellWithin).since(sent)); late > pollFloor+slack {
		line.breaks(broken, "hints lost", "a letter from A took %v to the streams of B", late)
	}
	for _, name := range w.people {
		line.during = append(line.during, w.lockAndUnlock(t, name, line))
	}
	line.injected = len(w.people)
	if err := lift(); err != nil {
		t.Fatal(err)
	}
	line.recovers(w.load)
	b, wrong, _ := w.end()
	line.add(b, wrong)
}

// lockAndUnlock locks on the first node and tells how long the second one went on.
func (w *world) lockAndUnlock(t *testing.T, name string, line *row) time.Duration {
	t.Helper()
	onA := w.cookies[name].At(w.nodes[0].Node)
	onB := onA.At(w.nodes[1].Node)
	onB.Must(t, http.StatusOK, http.MethodGet, "/api/v1/notices?limit=1", nil, nil) // so that it has the session in memory
	onA.Must(t, http.StatusOK, http.MethodPost, "/api/v1/session/lock", nil, nil)
	locked := time.Now()
	refused := within(pollFloor+slack, func() bool {
		answer, err := onB.Call(t.Context(), http.MethodGet, "/api/v1/notices?limit=1", nil)
		return err == nil && answer.Status == http.StatusLocked
	})
	took := time.Since(locked)
	if !refused {
		line.breaks(broken, name, "a session that was locked on A was served on B for %v", took)
	}
	before := w.gotBy(name + "/2")
	w.awaitAcks(lowRate / 2) // some of them are for the locked one
	if more := w.gotBy(name+"/2") - before; refused && more > 0 {
		line.breaks(broken, name, "%d notices came on a locked stream", more)
	}
	answer := onB.Must(t, http.StatusOK, http.MethodPost, "/api/v1/session/unlock", map[string]string{"password": server.Password}, nil)
	fresh := *w.cookies[name]
	fresh.Cookie, _, _ = strings.Cut(answer.Header.Get("Set-Cookie"), ";")
	w.cookies[name] = &fresh
	return took
}

// gotBy is how many notices a reader has got so far.
func (l *ledger) gotBy(reader string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.books[reader].lines)
}
