package main

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"belfry/bench/crowd"
	"belfry/bench/generator"
)

// bystanders are those who use the server meanwhile: streams with a notice to all of them now and then, and notices to one of
// them each.
type bystanders struct {
	loop   *generator.Loop
	people int
	tally  generator.Tally // of all slices, less the latencies
}

const (
	together       = 0 // the audience that is everybody; each one's own follow
	togetherRate   = 30
	singleRate     = 50
	settlingTime   = 30 * time.Second
	warmingUpFor   = time.Second
	bystandingSend = 8 // connections
)

func toBystanders(b []byte, audience int) []byte {
	if audience == together {
		return crowd.ToGroup(b, audience)
	}
	return crowd.ToPeople(b, audience-1)
}

// begin opens the streams and begins to publish. The calling goroutine serves them from now on.
func begin(t testing.TB, site *crowd.Site, people int) (*bystanders, error) {
	loop, err := generator.New(t.Context(), site.Node.Address())
	if err != nil {
		return nil, err
	}
	t.Cleanup(loop.Close)
	loop.Pause = 100 * time.Microsecond // or each delivery would wake this thread, at the server's cost
	loop.Audiences(1 + people)
	b := &bystanders{loop: loop, people: people}
	var singles []int
	for i := range people {
		s := &generator.Stream{Number: i, Begins: "lock", Head: func(b, lastID []byte) []byte { return site.Stream(b, i, lastID) }}
		loop.Open(s, together, 1+i)
		singles = append(singles, 1+i)
	}
	if err := loop.Run("the streams", settlingTime, loop.Begun); err != nil {
		return nil, err
	}
	one, _ := site.Notices(toBystanders)
	if err := loop.Start(
		&generator.Load{Request: one, To: []int{together}, Connections: bystandingSend, Rate: togetherRate, Due: true},
		&generator.Load{Request: one, To: singles, Connections: bystandingSend, Rate: singleRate, Due: true}); err != nil {
		return nil, err
	}
	return b, b.wait(warmingUpFor)
}

// wait lets time pass that is not measured.
func (b *bystanders) wait(d time.Duration) error {
	_, err := b.slice(d)
	return err
}

// slice is how long a notice took in this time, from when it was to be sent until it was received: p99.
func (b *bystanders) slice(d time.Duration) (p99 time.Duration, err error) {
	tally := &generator.Tally{}
	b.loop.Tally = tally
	if err := b.loop.For(d); err != nil {
		return 0, err
	}
	b.add(tally)
	return tally.Latency.Share(0.99), nil
}

func (b *bystanders) add(tally *generator.Tally) {
	b.tally.Delivered, b.tally.Acked, b.tally.Refused = b.tally.Delivered+tally.Delivered, b.tally.Acked+tally.Acked, b.tally.Refused+tally.Refused
	b.tally.Doubled, b.tally.Disorder, b.tally.Foreign = b.tally.Doubled+tally.Doubled, b.tally.Disorder+tally.Disorder, b.tally.Foreign+tally.Foreign
}

// finish waits for what is owed, and says what came of all of it. An error is what may not be.
func (b *bystanders) finish() (summary string, err error) {
	tally := &generator.Tally{}
	b.loop.Tally = tally
	b.loop.Stop()
	settling := b.loop.Run("the last deliveries", settlingTime, b.loop.Settled)
	b.add(tally)
	t := &b.tally
	summary = fmt.Sprintf("Bystanders: %d notices acknowledged, %d refused; %d deliveries, lost %d, doubled %d, out of order %d, foreign %d",
		t.Acked, t.Refused, t.Delivered, b.loop.Lost(), t.Doubled, t.Disorder, t.Foreign)
	if t.Acked == 0 || t.Refused+t.Doubled+t.Disorder+t.Foreign > 0 {
		settling = errors.Join(settling, errors.New(summary))
	}
	return summary, errors.Join(settling, b.loop.Faults())
}

// until lets time pass until something is so, which is asked every now and then.
func (b *bystanders) until(what string, limit time.Duration, done func() bool) error {
	tally := &generator.Tally{}
	b.loop.Tally = tally
	next := time.Now()
	err := b.loop.Run(what, limit, func() bool {
		if time.Now().Before(next) {
			return false
		}
		is := done()
		next = time.Now().Add(askEvery)
		return is
	})
	b.add(tally)
	return err
}
