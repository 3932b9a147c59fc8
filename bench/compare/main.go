// Command compare measures Belfry beside the raw write limit and its peers, all in one run and on one machine:
//
//	go run ./compare                        everything, three rounds: more than an hour
//	go run ./compare -scenarios fanout,storm -servers raw1,nchan,belfry-postgres
//	go run ./compare -scenarios growth-rows -rounds 1       what grows has to be asked for
//	go run ./compare tables FILE.json…      writes what -json saved as the documentation has it
//	go run ./compare plot FILE.json… DIR    draws it
//
// A round runs each scenario with a fresh server of each kind, raw1 first; what is printed is medians over the rounds,
// and ratios to raw1 of the same round, for the speed of a shared machine moves between rounds. It exits with 1 when a
// server failed, or when Belfry lost or doubled a message.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/pprof"
	"strconv"
	"strings"
	"testing"
	"time"

	"belfry/bench/program"
	"belfry/bench/server"
)

// options are what can be set.
type options struct {
	scenarios, servers, idle, publishers string
	rounds                               int
	streams, storm, missed, batch        int
	growthStreams, growthRows            string
	growthGroups                         string
	slices, appends, people              int
	groupStreams                         int
	growthRate                           float64
	sessions, logins, loginStreams       int
	singles, pages, locks                float64
	rate                                 float64
	warmUp, duration, hold, pause, quiet time.Duration
	lead                                 time.Duration
	json, profile, profiles              string
}

func (o *options) flags(set *flag.FlagSet) {
	set.StringVar(&o.scenarios, "scenarios", "", "comma separated; empty = all of "+strings.Join(scenarioNames(), ",")+"; besides, growth-streams, growth-rows and growth-groups")
	set.StringVar(&o.servers, "servers", "", "comma separated; empty = all of "+strings.Join(serverNames(), ","))
	set.IntVar(&o.rounds, "rounds", 3, "how often all is measured")
	set.DurationVar(&o.warmUp, "warmup", time.Second, "time before what is measured for a time")
	set.DurationVar(&o.duration, "duration", 6*time.Second, "how long fanout, rate, unicast and batch are measured")
	set.IntVar(&o.streams, "streams", 1000, "streams of fanout, rate, unicast and batch")
	set.StringVar(&o.idle, "idle", "5000,10000", "numbers of streams of idle")
	set.DurationVar(&o.hold, "hold", 10*time.Second, "how long idle streams are held before memory is read")
	set.DurationVar(&o.pause, "pause", 100*time.Microsecond, "how long the generator rests between looks at its sockets, in fanout, everyone and rate")
	set.Float64Var(&o.rate, "rate", 30, "messages a second of rate, and for all streams in login and mixed")
	set.StringVar(&o.publishers, "publishers", "64,4", "numbers of connections that publish in unicast")
	set.IntVar(&o.batch, "batch", 500, "notices a request of batch")
	set.IntVar(&o.storm, "storm", 2000, "streams of storm")
	set.IntVar(&o.missed, "missed", 20, "messages that the streams of storm miss")
	set.DurationVar(&o.quiet, "quiet", 6*time.Second, "how long is watched what a node asks of its database by the clock, for storm to leave that out")
	set.IntVar(&o.sessions, "sessions", 1000, "sessions of expiry")
	set.IntVar(&o.logins, "logins", 16, "people who sign in at a time, in login")
	set.IntVar(&o.loginStreams, "login-streams", 200, "streams of login")
	set.Float64Var(&o.singles, "singles", 200, "notices for one person a second, in mixed")
	set.Float64Var(&o.pages, "pages", 50, "pages of inboxes a second, in mixed")
	set.Float64Var(&o.locks, "locks", 5, "sessions that lock and unlock a second, in mixed")
	set.DurationVar(&o.lead, "lead", 5*time.Second, "how long before the first session of expiry locks its node is started; doubled where that is too short")
	set.StringVar(&o.growthStreams, "growth-streams", "1000,3000,10000", "numbers of streams of growth-streams")
	set.StringVar(&o.growthRows, "growth-rows", "0,100000,1000000,10000000", "numbers of old rows of growth-rows; the last takes 6 GB of disk")
	set.StringVar(&o.growthGroups, "growth-groups", "1,10,100,1000", "numbers of groups that each person is in, of growth-groups")
	set.IntVar(&o.slices, "slices", 5, "how often all sizes of a growth are measured in a round")
	set.Float64Var(&o.growthRate, "growth-rate", 5, "messages a second of growth-streams")
	set.IntVar(&o.appends, "appends", 2000, "notices that are appended in a slice of growth-rows, and four times the pages that are read")
	set.IntVar(&o.people, "people", 1000, "people of growth-rows")
	set.IntVar(&o.groupStreams, "group-streams", 200, "streams of growth-groups")
	set.StringVar(&o.profiles, "profiles", "", "a `folder` for a CPU profile of each Belfry while it is measured; costs a little")
	set.StringVar(&o.profile, "profile", "", "a `file` for a CPU profile of the generator, for go tool pprof")
	set.StringVar(&o.json, "json", "", "a `file` for all that was measured, for tables and plot")
}

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) (exitCode int) {
	if len(args) > 0 && (args[0] == "plot" || args[0] == "tables") {
		var err error
		if args[0] == "plot" {
			err = plot(args[1:], os.Stdout)
		} else {
			err = tables(args[1:], os.Stdout)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "compare:", err)
			return 1
		}
		return 0
	}
	var o options
	set := flag.NewFlagSet("compare", flag.ExitOnError)
	o.flags(set)
	_ = set.Parse(args) // it exits by itself
	if set.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "compare: what is %q?\n", set.Arg(0))
		return 2
	}
	plan, err := newPlan(&o)
	if err != nil {
		fmt.Fprintln(os.Stderr, "compare:", err)
		return 2
	}
	defer server.Remove()
	defer removeRivals()
	// One thread of ours is enough, and those of a second would only wake each other.
	runtime.GOMAXPROCS(1)
	stop, err := profiled(o.profile)
	if err != nil {
		fmt.Fprintln(os.Stderr, "compare:", err)
		return 2
	}
	report := plan.measure(os.Stderr, func(name string, body func(testing.TB)) { program.Run(name, body) })
	stop()
	report.print(os.Stdout)
	if o.json != "" {
		err = report.save(o.json)
	}
	if err != nil || report.failed() {
		fmt.Fprintln(os.Stderr, "compare:", "something failed", err)
		return 1
	}
	return 0
}

// profiled keeps a profile of this process in a file, until stop.
func profiled(path string) (stop func(), err error) {
	if path == "" {
		return func() {}, nil
	}
	file, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	return func() {
		pprof.StopCPUProfile()
		_ = file.Close()
	}, pprof.StartCPUProfile(file)
}

// plan is what is measured: each scenario with each server that can do it.
type plan struct {
	options   *options
	scenarios []*scenario
	servers   []*contestant
}

func newPlan(o *options) (*plan, error) {
	p := &plan{options: o}
	for _, name := range split(o.servers, serverNames()) {
		c := contestantNamed(name)
		if c == nil {
			return nil, fmt.Errorf("no server is named %q", name)
		}
		p.servers = append(p.servers, c)
	}
	for _, name := range split(o.scenarios, scenarioNames()) {
		list, err := scenariosNamed(name, o)
		if err != nil {
			return nil, err
		}
		p.scenarios = append(p.scenarios, list...)
	}
	return p, nil
}

func split(list string, all []string) []string {
	if list == "" {
		return all
	}
	return strings.Split(list, ",")
}

// numbers reads a list of counts.
func numbers(list string, least int) (ns []int, err error) {
	for field := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(field)
		if err != nil || n < least {
			return nil, fmt.Errorf("%q is no number of anything", field)
		}
		ns = append(ns, n)
	}
	return ns, nil
}

// measure runs all rounds. each runs one measurement as a test would be run, and cleans up after it.
func (p *plan) measure(progress io.Writer, each func(name string, body func(testing.TB))) *report {
	r := newReport(p)
	var text *template
	each("the form of a notice", func(t testing.TB) { text = captureTemplate(t) })
	if text == nil {
		r.Results = append(r.Results, Result{Scenario: "template", Server: "belfry-sqlite", Fault: "no notice was captured"})
		return r
	}
	for round := 1; round <= p.options.rounds; round++ {
		for _, s := range p.scenarios {
			for _, c := range p.servers {
				if s.only != nil && !s.only(c) {
					continue
				}
				run := &run1{name: fmt.Sprintf("%s-%s-%d", s.name, c.name, round), options: p.options, template: text}
				name := fmt.Sprintf("round %d, %s, %s", round, s.name, c.name)
				interrupted, done := false, false
				each(name, func(t testing.TB) {
					defer func() { interrupted = t.Context().Err() != nil }()
					run.t = t
					if values := s.run(run, c); values != nil {
						run.slices = append(run.slices, values)
					}
					done = true
				})
				if interrupted {
					return r
				}
				for _, values := range run.slices {
					r.add(progress, s, Result{Scenario: s.name, Server: c.name, Round: round, Values: values})
				}
				if !done {
					r.add(progress, s, Result{Scenario: s.name, Server: c.name, Round: round, Fault: "failed"})
				}
			}
		}
	}
	return r
}

func (r *report) add(progress io.Writer, s *scenario, result Result) {
	r.Results = append(r.Results, result)
	fmt.Fprintf(progress, "round %d, %s, %s: %s\n", result.Round, result.Scenario, result.Server, s.brief(result))
}

// save writes all that was measured.
func (r *report) save(path string) error {
	text, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o600)
}
