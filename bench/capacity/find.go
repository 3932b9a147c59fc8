package main

import (
	"cmp"
	"flag"
	"fmt"
	"io"
	"math"
	"runtime"
	"strings"
	"testing"
	"time"

	"belfry/bench/crowd"
	"belfry/bench/generator"
	"belfry/bench/machine"
)

// find looks for how much fits: the most at which every bound holds.
type find struct {
	databases        string
	late             time.Duration
	memory           float64
	most             int
	streams          int
	fastest          int
	probes           float64
	closely          float64
	warmUp, duration time.Duration
}

func (f *find) Flags(set *flag.FlagSet) {
	set.StringVar(&f.databases, "databases", "postgres,sqlite", "a node on each of these, one after the other")
	set.DurationVar(&f.late, "p99", 100*time.Millisecond, "one in a hundred notices may take longer, until it is durable or until it is read from a stream")
	set.Float64Var(&f.memory, "memory", 0, "`MiB` that a node may hold; 0 = half of the machine's")
	set.IntVar(&f.most, "most", 0, "idle streams to stop at; 0 = as many as the descriptors of a process allow")
	set.IntVar(&f.streams, "streams", 1000, "streams that notices go to")
	set.IntVar(&f.fastest, "fastest", 1<<20, "notices a second to stop at")
	set.Float64Var(&f.probes, "probes", 100, "notices a second, for one person each, that show that idle streams live")
	set.Float64Var(&f.closely, "closely", 0.1, "the share that an answer may be too small by")
	set.DurationVar(&f.warmUp, "warmup", time.Second, "time before each measuring")
	set.DurationVar(&f.duration, "duration", 5*time.Second, "time of each measuring")
}

// spare are connections of a node that are no stream, and more: those who publish.
const spare = 200

func (f *find) Run(t testing.TB, out io.Writer) {
	// One thread of ours is enough, and those of a second would only wake each other.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	descriptors, err := machine.Descriptors()
	if err != nil {
		t.Fatal(err)
	}
	full := ""
	if f.most == 0 {
		f.most, full = descriptors/10*9-spare, fmt.Sprintf("of the %s descriptors that a process may have here, a node keeps a tenth for itself", thousands(float64(descriptors)))
	}
	f.memory = cmp.Or(f.memory, machine.Memory()/mib/2)
	about, err := machine.Conditions(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s := &sizing{bounds: fmt.Sprintf("Bounds: p99 at most %v, until durable and until read; at most %.0f MiB of memory; no stream evicted or sent away, nothing refused.", f.late, f.memory), streams: f.streams}
	for name := range strings.SplitSeq(f.databases, ",") {
		r := &found{database: name}
		// The most streams come with as many people, so they get a node of their own.
		f.on(t, name, f.most, func(n *node) error { return f.idle(n, r) })
		f.on(t, name, f.streams, func(n *node) error { return f.single(n, r) })
		// So do notices for all: the search index is still being filled with the others.
		f.on(t, name, f.streams, func(n *node) error { return f.together(n, r) })
		if t.Failed() {
			return
		}
		if r.idle.over.size == 0 {
			r.idle.over.why = full
		}
		s.found = append(s.found, r)
	}
	fmt.Fprintln(out, machine.Describe()+"; "+about)
	s.print(out)
}

// found are the answers for one database.
type found struct {
	database               string
	idle, single, together limit
	empty                  float64 // MiB of the node without a stream
}

// idle looks for how many streams can wait.
func (f *find) idle(n *node, r *found) error {
	before, err := metrics(n.ctx, n.site.Internal)
	if err != nil {
		return err
	}
	r.empty = before["process_resident_memory_bytes"] / mib
	r.idle, err = search(bounds{min(1000, f.most), f.most, f.closely}, func(streams int) (outcome, error) {
		return f.try(n, streams, streams, &generator.Load{To: singles(streams), Connections: 8, Rate: f.probes, Due: true, Request: n.request})
	})
	return err
}

// single looks for how many notices a second there can be that are for one person each.
func (f *find) single(n *node, r *found) (err error) {
	r.single, err = search(bounds{100 * f.least(), f.fastest, f.closely}, func(rate int) (outcome, error) {
		return f.try(n, f.streams, rate, &generator.Load{To: singles(f.streams), Connections: 64, Rate: float64(rate), Due: true, Request: n.request})
	})
	return err
}

// together looks for how many there can be that are for all streams.
func (f *find) together(n *node, r *found) (err error) {
	n.loop.Pause = 100 * time.Microsecond // or each delivery would wake the generator, at the node's cost
	r.together, err = search(bounds{f.least(), f.fastest, f.closely}, func(rate int) (outcome, error) {
		return f.try(n, f.streams, rate, &generator.Load{To: []int{together}, Connections: 64, Rate: float64(rate), Due: true, Request: n.request})
	})
	return err
}

// least is the lowest rate, in notices a second: there have to be some while it is measured.
func (f *find) least() int { return int(math.Ceil(5 / f.duration.Seconds())) }

// on runs a search on a fresh node.
func (f *find) on(t testing.TB, name string, people int, body func(n *node) error) {
	if t.Failed() {
		return
	}
	n, err := newNode(t, crowd.Start(t, crowd.Shape{SQLite: name == "sqlite", People: people, Internal: true,
		Settings: []string{"TRUSTED_PROXIES=127.0.0.0/8"}})) // or the limit of one address would hold for each of the generator's
	if err == nil {
		err = body(n)
		n.loop.Close()
		n.site.Node.Kill() // the next one has the machine for itself
	}
	if err != nil {
		t.Errorf("%s: %v", name, err)
	}
}

// try measures one size and holds it against the bounds.
func (f *find) try(n *node, streams, size int, load *generator.Load) (o outcome, err error) {
	pause := n.loop.Pause
	if err := n.hold(streams); err != nil {
		o.size, o.why = size, err.Error()
		return o, n.ctx.Err()
	}
	n.loop.Pause = pause
	if o.measured, err = n.measure(size, load, f.warmUp, f.duration); err != nil {
		return o, err
	}
	o.why = f.against(o.measured)
	o.fits = o.why == ""
	n.t.Logf("%d: p99 %v and %v, %.0f MiB %s", size, o.acknowledged, o.delivered, o.memory, o.why)
	return o, n.ctx.Err()
}

// against says which bound does not hold; empty = all do.
func (f *find) against(m measured) (why string) {
	switch {
	case m.evicted > 0:
		return fmt.Sprintf("%d streams evicted", m.evicted)
	case m.ended > 0:
		return fmt.Sprintf("%d streams sent away", m.ended)
	case m.refused > 0:
		return fmt.Sprintf("%d notices refused", m.refused)
	case m.fault != nil:
		why, _, _ = strings.Cut(m.fault.Error(), "\n")
		return why
	case m.acknowledged > f.late:
		return fmt.Sprintf("p99 until durable %.0f ms", milliseconds(m.acknowledged))
	case m.delivered > f.late:
		return fmt.Sprintf("p99 until read %.0f ms", milliseconds(m.delivered))
	case m.taken == 0:
		return "nothing was taken"
	case m.memory > f.memory:
		return fmt.Sprintf("%.0f MiB", m.memory)
	}
	return ""
}
