package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"belfry/bench/crowd"
	"belfry/bench/generator"
	"belfry/bench/machine"
	"belfry/services/journal"
)

// soak keeps a moderate load up for long, on each database at once, and looks whether anything grows.
type soak struct {
	minutes                                  float64
	databases                                string
	streams                                  int
	singles, together, pages, cuts, arrivals float64 // a second
	every                                    time.Duration
	settle                                   float64
	fill                                     int
	limits                                   limits
	json, svg                                string
}

func (s *soak) Flags(set *flag.FlagSet) {
	set.Float64Var(&s.minutes, "minutes", 60, "how long")
	set.StringVar(&s.databases, "databases", "postgres,sqlite", "a node on each of these, all at once")
	set.IntVar(&s.streams, "streams", 1000, "streams of each node, each of another user and session")
	set.Float64Var(&s.singles, "singles", 40, "notices a second for one person each")
	set.Float64Var(&s.together, "together", 0.5, "notices a second for all")
	set.Float64Var(&s.pages, "pages", 2, "pages of inboxes a second")
	set.Float64Var(&s.cuts, "cuts", 2, "streams a second whose connection is cut, and that come back")
	set.Float64Var(&s.arrivals, "visits", 0.5, "people a second who sign in, open a stream, lock, unlock and sign out")
	set.DurationVar(&s.every, "every", 5*time.Second, "how often a node is looked at")
	set.Float64Var(&s.settle, "settle", 0.25, "the share of the time at the beginning that is not judged")
	set.IntVar(&s.fill, "fill", 2*journal.LookBack, "notices that are published before: more than a node keeps in memory, for that it fills up is no growth")
	s.limits.flags(set)
	set.StringVar(&s.json, "json", "", "a `file` for all that was seen, for plot")
	set.StringVar(&s.svg, "svg", "", "a `file` for the picture of it")
}

func (s *soak) duration() time.Duration { return time.Duration(s.minutes * float64(time.Minute)) }

// Record is all that was seen of all nodes.
type Record struct {
	Machine string    `json:"machine"`
	Began   time.Time `json:"began"`
	Load    string    `json:"load"`
	Settle  float64   `json:"settle"`
	Limits  limits    `json:"limits"`
	Courses []*Course `json:"courses"`
}

func (s *soak) Run(t testing.TB, out io.Writer) {
	record := &Record{Machine: machine.Describe(), Began: time.Now().UTC().Truncate(time.Second), Settle: s.settle, Limits: s.limits,
		Load: fmt.Sprintf("%d streams; a second %v notices for one, %v for all, %v pages, %v streams cut, %v people who sign in, lock, unlock and sign out",
			s.streams, s.singles, s.together, s.pages, s.cuts, s.arrivals)}
	var running sync.WaitGroup
	var mu sync.Mutex
	for name := range strings.SplitSeq(s.databases, ",") {
		site := crowd.Start(t, crowd.Shape{SQLite: name == "sqlite", People: s.streams + visitors, SignIn: true, Internal: true})
		n := &soaked{soak: s, course: &Course{Database: name}}
		record.Courses = append(record.Courses, n.course)
		running.Go(func() {
			if err := n.run(t, site); err != nil {
				mu.Lock()
				defer mu.Unlock()
				t.Errorf("%s: %v", name, err)
			}
		})
	}
	running.Wait()
	s.report(t, out, record)
}

func (s *soak) report(t testing.TB, out io.Writer, r *Record) {
	if !r.print(out) {
		t.Error("it did not hold out")
	}
	if s.json != "" {
		text, err := json.Marshal(r)
		if err == nil {
			err = os.WriteFile(s.json, append(text, '\n'), 0o600)
		}
		if err != nil {
			t.Error(err)
		}
	}
	if s.svg != "" {
		if err := r.draw().Save(s.svg); err != nil {
			t.Error(err)
		}
	}
}

// soaked is one node and its load.
type soaked struct {
	*node
	soak   *soak
	course *Course
	cut    int // streams so far
}

// patience is how long anything that has to happen may take on a busy machine.
const patience = 2 * time.Minute

func (n *soaked) run(t testing.TB, site *crowd.Site) (err error) {
	if n.node, err = newNode(t, site); err != nil {
		return err
	}
	defer n.loop.Close()
	n.loop.Pause = 200 * time.Microsecond // a soak is no measuring of speed: it leaves the machine to the node
	if err := errors.Join(n.hold(n.soak.streams), n.fill()); err != nil {
		return err
	}
	v := &visiting{site: site, client: connections(), first: n.soak.streams}
	stop := v.start(n.ctx, n.soak.arrivals)
	err = n.watch()
	stop()
	return errors.Join(err, n.account(), v.account(n.course))
}

// fill publishes what fills the node's memory.
func (n *soaked) fill() error {
	const batch = 500
	load := &generator.Load{To: singles(len(n.open)), Connections: 1, Batch: batch, Count: (n.soak.fill + batch - 1) / batch, Request: n.batch, Taken: crowd.Taken}
	if err := n.loop.Start(load); err != nil {
		return err
	}
	if err := n.loop.Run("the log to fill", patience, n.loop.Published); err != nil {
		return err
	}
	n.loop.Stop()
	return n.loop.Run("the first deliveries", patience, n.loop.Settled)
}

// watch keeps the load up and looks at the node.
func (n *soaked) watch() error {
	pages := &generator.Load{Connections: 2, Rate: n.soak.pages, Call: func(b []byte, i int) []byte {
		return n.site.Call(b, "GET", "/api/v1/notices", i%n.soak.streams, "")
	}, Answered: func(int, int, time.Duration) { n.course.Pages++ }}
	began := time.Now()
	err := n.loop.Start(&generator.Load{To: []int{together}, Connections: 2, Rate: n.soak.together, Request: n.request},
		&generator.Load{To: singles(len(n.open)), Connections: 8, Rate: n.soak.singles, Request: n.request}, pages)
	for next := began.Add(n.soak.every); err == nil && next.Before(began.Add(n.soak.duration()+n.soak.every)); next = next.Add(n.soak.every) {
		err = n.interval(began, next)
	}
	n.loop.Stop()
	return err
}

// interval goes on until the next look at the node, and looks.
func (n *soaked) interval(began, next time.Time) error {
	n.loop.Tally = &generator.Tally{}
	err := n.loop.Run("the next look", time.Until(next)+patience, func() bool {
		if due := int(time.Since(began).Seconds() * n.soak.cuts); n.cut < due {
			n.loop.Cut(n.open[n.cut%len(n.open)])
			n.cut++
		}
		return !time.Now().Before(next)
	})
	if err != nil {
		return err
	}
	sample, err := look(n.ctx, n.site)
	if err != nil {
		return err
	}
	sample.Minute = time.Since(began).Minutes()
	sample.P50, sample.P99 = milliseconds(n.loop.Tally.Latency.Share(0.5)), milliseconds(n.loop.Tally.Latency.Share(0.99))
	n.course.add(sample, n.loop.Tally)
	return nil
}

// account waits for what is under way and keeps what became of all.
func (n *soaked) account() error {
	n.loop.Tally = &generator.Tally{}
	err := n.loop.Run("the last deliveries", patience, func() bool { return n.loop.Begun() && n.loop.Settled() })
	n.course.count(n.loop.Tally)
	n.course.Lost, n.course.Cut, n.course.Ended = n.loop.Lost(), n.cut, n.loop.Ended
	seen, asking := metrics(n.ctx, n.site.Internal)
	n.course.Evicted, n.course.Reset = int(seen["belfry_evictions_total"]), int(seen["belfry_resets_total"])
	return errors.Join(err, asking, n.loop.Faults())
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
