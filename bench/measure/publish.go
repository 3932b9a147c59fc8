package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"belfry/bench/statements"
)

// publishing measures how many notices, each to one person, are acknowledged as durable in a second.
type publishing struct {
	nodes, publishers, people int
	batch                     int // notices a request; 0 = each in a request of its own
	idempotency               bool
	warmUp, duration          time.Duration
	statements                bool
	profiles                  string
	settings                  settings

	begin, end time.Time // what is acknowledged in between counts
}

func (m *publishing) Flags(set *flag.FlagSet) {
	set.IntVar(&m.nodes, "nodes", 2, "nodes on the one database")
	set.IntVar(&m.publishers, "publishers", 64, "connections that publish, one request after the other")
	set.IntVar(&m.people, "users", 100, "people to publish to, in turn")
	set.IntVar(&m.batch, "batch", 0, "notices a request, by POST /notices/batch; 0 = each in a request of its own")
	set.BoolVar(&m.idempotency, "idempotency", false, "send an idempotency key with each notice")
	set.DurationVar(&m.warmUp, "warmup", 2*time.Second, "time before the measuring")
	set.DurationVar(&m.duration, "duration", 10*time.Second, "time of the measuring")
	set.BoolVar(&m.statements, "statements", false, "say what took PostgreSQL's time; counting costs a little")
	set.StringVar(&m.profiles, "profiles", "", "a `folder` for a CPU profile of each node")
	m.settings.flag(set)
}

func (m *publishing) Run(t testing.TB, out io.Writer) {
	// One thread of ours is enough, and those of a second would only wake each other.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	var count []string
	if m.statements {
		count = append(count, statements.Setting)
	}
	s := newSite(t, count...)
	p := newProfiler(t, m.profiles)
	for range m.nodes {
		s.addNode(append(p.settings(), m.settings...)...)
	}
	s.addPeople(m.people)
	fmt.Fprintf(out, "publish: %s; %s\n", s.describe(), m.describe())

	m.begin = time.Now().Add(m.warmUp)
	m.end = m.begin.Add(m.duration)
	publishers := make([]*publisher, m.publishers)
	var working sync.WaitGroup
	for i := range publishers {
		connection, err := dialWire(s.nodes[i%m.nodes].Address())
		if err != nil {
			t.Fatal(err)
		}
		defer connection.close()
		publishers[i] = newPublisher(m, i, connection, s)
		working.Go(func() { publishers[i].work(t.Context()) })
	}
	await(t.Context(), m.begin)
	p.start(m.duration)
	cost, asked := m.observe(s)
	working.Wait()
	p.wait()
	m.report(t, out, publishers, cost)
	if m.statements {
		reportAsked(out, asked)
	}
	m.verify(t, out, s, publishers)
}

// observe looks on from now to the end.
func (m *publishing) observe(s *site) (cost costs, asked statements.Asked) {
	watch := func() {
		before := usage(s)
		await(s.t.Context(), m.end)
		cost = usage(s).minus(before)
	}
	if m.statements {
		asked = s.measure(watch)
	} else {
		watch()
	}
	return cost, asked
}

func (m *publishing) describe() string {
	request := "each notice in a request of its own"
	if m.batch > 0 {
		request = fmt.Sprintf("%d notices a request", m.batch)
	}
	if m.idempotency {
		request += " under an idempotency key"
	}
	return fmt.Sprintf("%d publishers, %s; %v after %v", m.publishers, request, m.duration, m.warmUp)
}

// await returns at a moment, or false when the context ends before that.
func await(ctx context.Context, moment time.Time) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(time.Until(moment)):
		return true
	}
}

func (m *publishing) report(t testing.TB, out io.Writer, publishers []*publisher, cost costs) {
	var took []time.Duration
	counted, refused := 0, 0
	for _, p := range publishers {
		took = append(took, p.took...)
		counted += p.counted
		refused += p.refused
		if p.err != nil {
			t.Errorf("a publisher broke off: %v", p.err)
		}
	}
	if refused > 0 {
		t.Errorf("%d notices were refused, one of them with %s", refused, firstRefusal(publishers))
	}
	slices.Sort(took)
	per := func(d time.Duration) string { return fmt.Sprintf("%.0f", float64(counted)/max(d.Seconds(), 0.01)) }
	table(out, "publishes/s\tp50 ms\tp99 ms\tmax ms\tnotices\trefused\t",
		fmt.Sprintf("%s\t%s\t%s\t%s\t%d\t%d\t", per(m.duration), ms(share(took, 0.5)), ms(share(took, 0.99)), ms(share(took, 1)), counted, refused))
	cpu := func(what string, d time.Duration) string {
		return fmt.Sprintf("%s\t%.2f\t%.0f %%\t%s\t", what, d.Seconds(), 100*d.Seconds()/m.duration.Seconds(), per(d))
	}
	table(out, "CPU\tseconds\tof a core\tpublishes/CPU s\t", cpu("nodes", cost.nodes), cpu("PostgreSQL", cost.database),
		cpu("both", cost.nodes+cost.database), cpu("generator", cost.generator))
}

func firstRefusal(publishers []*publisher) string {
	for _, p := range publishers {
		if p.refusal != "" {
			return p.refusal
		}
	}
	return "nothing"
}

// verify looks whether the log has every notice that was acknowledged, each once.
func (m *publishing) verify(t testing.TB, out io.Writer, s *site, publishers []*publisher) {
	acked := map[int64]bool{}
	total, twice := 0, 0
	for _, p := range publishers {
		for _, id := range p.acked {
			if acked[id] {
				twice++
			}
			acked[id] = true
			total++
		}
	}
	stored, unasked := 0, 0
	rows, err := s.db.QueryContext(context.WithoutCancel(t.Context()), "SELECT subject FROM entries WHERE kind = 'notice'")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			t.Fatal(err)
		}
		stored++
		if !acked[id] {
			unasked++
		}
		delete(acked, id)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(out, "  acknowledged %d with the warm-up, in the log %d: lost %d, under one id %d, never acknowledged %d\n", total, stored, len(acked), twice, unasked)
	if len(acked) > 0 || twice > 0 || unasked > 0 {
		t.Error("what was acknowledged is not what the log holds")
	}
}
