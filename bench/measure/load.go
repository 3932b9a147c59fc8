package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"belfry/bench/server"
)

const (
	forEveryone = `"for":"everyone"`
	// everyNth of the notices is for everyone.
	everyNth = 40
	tryAgain = 50 * time.Millisecond
)

// addressee is how the data of a notice says whose it is.
func addressee(name string) string { return `"for":"` + name + `"` }

// load publishes notices at an even rate, to one person after the other and now and then to everyone, and keeps
// what was acknowledged. A refused notice goes to the other node, under its key, until the answer is known.
type load struct {
	t       testing.TB
	callers []*server.Caller
	people  []string
	acks    []ack
	next    atomic.Int64 // number of the next notice
	retries int
	stop    context.CancelFunc
	working sync.WaitGroup
}

type ack struct {
	offset int64
	to     string // empty = everyone
}

func newLoad(t testing.TB, s *site, rate int) *load {
	ctx, cancel := context.WithCancel(t.Context())
	l := &load{t: t, people: s.people, stop: cancel}
	for _, node := range s.nodes {
		l.callers = append(l.callers, node.ByKey(s.secret))
	}
	l.working.Go(func() {
		tick := time.NewTicker(time.Second / time.Duration(rate))
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				l.publish(int(l.next.Load()))
				l.next.Add(1)
			}
		}
	})
	t.Cleanup(func() { // a run that broke off leaves nobody behind
		cancel()
		l.working.Wait()
	})
	return l
}

func (l *load) publish(number int) {
	notice := map[string]any{"to": map[string]any{"everyone": true}, "title": "toll", "data": map[string]string{"for": "everyone"}}
	to := ""
	if number%everyNth != 0 {
		to = l.people[number%len(l.people)]
		notice["to"], notice["data"] = map[string]any{"users": []string{to}}, map[string]string{"for": to}
	}
	for try := 0; l.t.Context().Err() == nil; try++ {
		caller := l.callers[(number+try)%len(l.callers)]
		answer, err := caller.Call(l.t.Context(), http.MethodPost, "/api/v1/notices", notice, "Idempotency-Key", fmt.Sprint(number))
		if err == nil && answer.Status == http.StatusCreated {
			var published server.Published
			if err := json.Unmarshal(answer.Body, &published); err != nil {
				l.t.Errorf("an acknowledgement that cannot be read: %v: %q", err, answer.Body)
			}
			l.acks = append(l.acks, ack{offset(published.Cursor), to})
			return
		}
		if err == nil && answer.Status != http.StatusServiceUnavailable {
			l.t.Errorf("publish: %d %s", answer.Status, answer.Body)
			return
		}
		l.retries++
		await(l.t.Context(), time.Now().Add(tryAgain))
	}
}

// finish ends the load with a notice to everyone and gives its place in the log.
func (l *load) finish() (last int64) {
	l.stop()
	l.working.Wait()
	l.publish((int(l.next.Load())/everyNth + 1) * everyNth)
	if len(l.acks) == 0 {
		l.t.Fatal("nothing was acknowledged")
	}
	return l.acks[len(l.acks)-1].offset
}

// balance compares what was acknowledged with what every stream got.
func (h *herd) balance(t testing.TB, out io.Writer, l *load) {
	acked := map[int64]bool{}
	for _, a := range l.acks {
		acked[a.offset] = true
	}
	var due, lost, phantom, disorder, foreign, repeated, resets int
	for _, r := range h.readers {
		slices.Sort(r.got)
		for _, a := range l.acks {
			if a.offset <= r.from || (a.to != "" && a.to != r.name) {
				continue
			}
			due++
			if _, found := slices.BinarySearch(r.got, a.offset); !found {
				lost++
			}
		}
		for _, offset := range r.got {
			if !acked[offset] {
				phantom++
			}
		}
		disorder, foreign, repeated, resets = disorder+r.disorder, foreign+r.foreign, repeated+r.repeated, resets+r.resets
		if r.fault != nil {
			t.Errorf("%s: %v", r.name, r.fault)
		}
	}
	fmt.Fprintf(out, "  %d notices acknowledged (%d tries anew), %d deliveries due: lost %d, out of order %d, phantom %d, foreign %d, reset %d; came again %d\n",
		len(l.acks), l.retries, due, lost, disorder, phantom, foreign, resets, repeated)
	if lost+disorder+phantom+foreign+resets > 0 || due == 0 {
		t.Error("the ledger does not balance")
	}
}

func has(list []int64, n int64) bool { return slices.Contains(list, n) }
