package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"belfry/bench/crowd"
	"belfry/bench/generator"
	"belfry/bench/server"
)

// scenario is one thing that is measured.
type scenario struct {
	name    string
	columns []column
	grows   *grows                   // nil: it has one size
	only    func(c *contestant) bool // nil: every server can do it
	run     func(r *run1, c *contestant) map[string]float64
}

// scenarioNames are those that can be asked for. Some come in several sizes.
func scenarioNames() []string {
	return []string{"idle", "fanout", "everyone", "rate", "unicast", "batch", "storm", "expiry", "login", "mixed"}
}

func scenariosNamed(name string, o *options) ([]*scenario, error) {
	switch name {
	case "idle":
		return sizes(o.idle, func(n int) *scenario { return idle(n) })
	case "fanout":
		return []*scenario{fanout(name, 0, shape{streams: o.streams, together: true})}, nil
	case "everyone":
		s := fanout(name, 0, shape{streams: o.streams, together: true, everyone: true})
		s.only = func(c *contestant) bool { return c.belfry || c.name == "raw1" }
		return []*scenario{s}, nil
	case "rate":
		return []*scenario{fanout(name, o.rate, shape{streams: o.streams, together: true})}, nil
	case "unicast":
		return sizes(o.publishers, func(n int) *scenario { return publishing(fmt.Sprintf("unicast-%d", n), n, 0) })
	case "batch":
		return ofBelfry(publishing(name, 4, o.batch)), nil
	case "storm":
		s := storm(o.storm, o.missed)
		s.only = func(c *contestant) bool { return c.resumes }
		return []*scenario{s}, nil
	case "expiry":
		return ofBelfry(expiry(o.sessions)), nil
	case "login":
		return ofBelfry(login(o.loginStreams)), nil
	case "mixed":
		return ofBelfry(mixed(o.streams)), nil
	}
	return growthNamed(name, o)
}

// ofBelfry is a scenario that asks for what the others do not have.
func ofBelfry(s *scenario) []*scenario {
	s.only = func(c *contestant) bool { return c.belfry }
	return []*scenario{s}
}

// sizes is a scenario for each number of a list.
func sizes(list string, of func(n int) *scenario) (all []*scenario, err error) {
	ns, err := numbers(list, 1)
	for _, n := range ns {
		all = append(all, of(n))
	}
	return all, err
}

// patience is how long anything that has to happen may take.
const patience = time.Minute

// trial is a server with its streams open, and the generator.
type trial struct {
	*run1
	site *site
	loop *generator.Loop
	to   []int // all audiences

	singles []int // of mixed: those of one stream
}

// open starts a server and opens the streams.
func (r *run1) open(c *contestant, s shape) *trial {
	r.t.Helper()
	t := r.begin(c, s)
	t.openAll(s)
	return t
}

// begin starts a server.
func (r *run1) begin(c *contestant, s shape) *trial {
	r.t.Helper()
	t := &trial{run1: r, site: c.start(r, s)}
	loop, err := generator.New(r.t.Context(), t.site.address)
	t.must(err)
	t.loop = loop
	loop.Audiences(s.audiences())
	for i := range s.audiences() {
		t.to = append(t.to, i)
	}
	return t
}

func (t *trial) openAll(s shape) {
	t.t.Helper()
	for i := range s.streams {
		topic := i
		if t.site.belfry == nil {
			topic = s.audience(i)
		}
		t.loop.Open(&generator.Stream{Number: i, Begins: t.site.begins, Head: func(b, lastID []byte) []byte { return t.site.head(b, topic, lastID) }}, s.audience(i))
	}
	t.must(t.loop.Run("all streams", patience, t.loop.Begun))
}

// rollCall makes sure that the streams are on the server's lists. It warms it, too.
func (t *trial) rollCall() {
	t.t.Helper()
	t.must(t.loop.RollCall(generator.Load{To: t.to, Connections: 16, Request: t.site.request}, patience))
}

func (t *trial) must(err error) {
	t.t.Helper()
	if err != nil {
		t.t.Fatal(err)
	}
}

// used is CPU time so far.
type used struct{ server, database, generator time.Duration }

func (t *trial) used() (u used) {
	t.t.Helper()
	var err error
	u.server, err = server.TreeRunTime(t.site.pid)
	t.must(err)
	if t.site.database != 0 {
		u.database, err = server.TreeCPUTime(t.site.database)
		t.must(err)
	}
	u.generator = generator.CPU()
	return u
}

func (u used) since(before used) used {
	return used{u.server - before.server, u.database - before.database, u.generator - before.generator}
}

func (t *trial) memory() server.Memory {
	t.t.Helper()
	m, err := server.TreeMemory(t.site.pid)
	t.must(err)
	return m
}

// values tells the CPU time in terms of what was done with it.
func (u used) values(done int) map[string]float64 {
	both := u.server + u.database
	per := func(d time.Duration) float64 { return float64(d.Microseconds()) / float64(max(done, 1)) }
	return map[string]float64{
		"us": per(u.server), "us_with_database": per(both),
		"per_cpu_s": float64(done) / max(u.server.Seconds(), 1e-6), "per_cpu_s_with_database": float64(done) / max(both.Seconds(), 1e-6),
		"generator_us": per(u.generator), "generator": 100 * u.generator.Seconds() / max(u.server.Seconds(), 1e-6),
	}
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// latencies adds the shares of a histogram.
func latencies(to map[string]float64, name string, h *generator.Histogram) {
	to[name+"_p50"], to[name+"_p99"], to[name+"_max"] = milliseconds(h.Share(0.5)), milliseconds(h.Share(0.99)), milliseconds(h.Max())
}

// idle is what a stream costs that nothing is sent to: how much more memory the server holds than one of its kind that
// nobody knows. The people and their sessions count, where the server has such.
func idle(streams int) *scenario {
	return &scenario{name: fmt.Sprintf("idle-%d", streams), columns: idleColumns, run: func(r *run1, c *contestant) map[string]float64 {
		alone := &trial{run1: r, site: c.start(r, shape{})}
		s := shape{streams: streams}
		t := r.begin(c, s)
		defer t.loop.Close()
		t.must(t.loop.For(r.options.hold / 10)) // for what starting took to be given back
		before, began := alone.memory(), time.Now()
		t.openAll(s)
		took := time.Since(began)
		t.must(t.loop.For(r.options.hold))
		after := t.memory()
		t.sound(c)
		each := func(kib int64) float64 { return float64(kib) / float64(streams) }
		return map[string]float64{"rss": each(after.Resident - before.Resident), "pss": each(after.Proportional - before.Proportional),
			"before": float64(before.Resident), "after": float64(after.Resident), "connect": took.Seconds()}
	}}
}

// fanout is messages to all streams: as many as go, or at a rate.
func fanout(name string, rate float64, s shape) *scenario {
	columns := slices.Concat(deliveryColumns, latencyColumns, accountColumns)
	return &scenario{name: name, columns: columns, run: func(r *run1, c *contestant) map[string]float64 {
		t := r.open(c, s)
		defer t.loop.Close()
		t.rollCall()
		t.loop.Pause = r.options.pause
		const underWay = 32
		load := &generator.Load{To: t.to, Connections: underWay, UnderWay: underWay, Request: t.site.request}
		if rate > 0 {
			load.UnderWay, load.Rate = 0, rate
		}
		cost, tally := t.forAWhile(load)
		values := cost.values(tally.Delivered)
		values["per_s"] = float64(tally.Delivered) / r.options.duration.Seconds()
		latencies(values, "latency", &tally.Latency)
		latencies(values, "after_ack", &tally.AfterAck)
		t.account(values, c)
		return values
	}}
}

// publishing is single notices, each to one of many, or batches of them.
func publishing(name string, publishers, batch int) *scenario {
	columns := slices.Concat(publishColumns, ackColumns, accountColumns)
	return &scenario{name: name, columns: columns, run: func(r *run1, c *contestant) map[string]float64 {
		t := r.open(c, shape{streams: r.options.streams})
		defer t.loop.Close()
		t.rollCall()
		load := &generator.Load{To: t.to, Connections: publishers, Request: t.site.request, Batch: batch}
		if batch > 0 {
			load.Request, load.Taken = t.site.batch, crowd.Taken
		}
		cost, tally := t.forAWhile(load)
		values := cost.values(tally.Acked)
		values["per_s"] = float64(tally.Acked) / r.options.duration.Seconds()
		latencies(values, "ack", &tally.Ack)
		latencies(values, "latency", &tally.Latency)
		t.account(values, c)
		return values
	}}
}

// forAWhile publishes, and counts between the warm-up and the end.
func (t *trial) forAWhile(load *generator.Load) (cost used, tally generator.Tally) {
	t.t.Helper()
	t.must(t.loop.Start(load))
	t.must(t.loop.For(t.options.warmUp))
	return t.count()
}

// count counts for a while what is going on, and stops it.
func (t *trial) count() (cost used, tally generator.Tally) {
	t.t.Helper()
	defer t.profiled(t.options.duration)()
	t.loop.Tally = &generator.Tally{}
	before := t.used()
	t.must(t.loop.For(t.options.duration))
	cost, tally = t.used().since(before), *t.loop.Tally
	t.loop.Stop()
	return cost, tally
}

// profiled has Belfry profile itself for so long, where that is asked for. done waits for the end.
func (t *trial) profiled(duration time.Duration) (done func()) {
	if t.site.belfry == nil || t.site.belfry.Internal == "" {
		return func() {}
	}
	failed := make(chan error, 1)
	go func() {
		failed <- server.Profile(t.t.Context(), t.site.belfry.Internal, filepath.Join(t.options.profiles, t.name+".pprof"), duration)
	}()
	return func() { t.must(<-failed) }
}

// account waits for what is under way and says what did not come, or came wrongly.
func (t *trial) account(values map[string]float64, c *contestant) {
	t.t.Helper()
	const drain = 10 * time.Second
	missing := t.loop.Run("the last deliveries", drain, t.loop.Settled)
	tally := t.loop.Tally
	values["lost"], values["doubled"], values["disorder"] = float64(t.loop.Lost()), float64(tally.Doubled+tally.Foreign), float64(tally.Disorder)
	values["rss_end"] = float64(t.memory().Resident)
	if c.belfry && (missing != nil || tally.Doubled+tally.Foreign+tally.Disorder+tally.Refused > 0) {
		t.t.Errorf("%d lost, %d doubled, %d foreign, %d out of order, %d refused: %v", t.loop.Lost(), tally.Doubled, tally.Foreign, tally.Disorder, tally.Refused, missing)
	}
	t.sound(c)
}

// sound fails when something happened to Belfry's streams that should not; of others it is told.
func (t *trial) sound(c *contestant) {
	t.t.Helper()
	if faults := t.loop.Faults(); faults != nil && c.belfry {
		t.t.Error(faults)
	} else if faults != nil {
		t.t.Log(faults)
	}
}
