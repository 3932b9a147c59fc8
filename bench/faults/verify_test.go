package faults_test

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"belfry/bench/report"
	"belfry/internal/testpg"
)

// scenario is a fault that needs a setup of its own.
type scenario struct {
	name string
	long bool // not in the short set
	run  func(t *testing.T, line *row)
}

var scenarios = []scenario{
	{name: "failover to a lagging standby", run: failOverLagging},
	{name: "failover to a synchronous standby", run: failOverSynchronous},
	{name: "backup restored", run: restoreBackup},
	{name: "disk full under PostgreSQL", run: fillPostgres},
	{name: "disk full under SQLite", run: fillSQLite},
	{name: "reader of a byte a second", long: true, run: readSlowly},
	{name: "half-open clients", long: true, run: vanish},
	{name: "subscribe racing publish", run: raceOpenings},
	{name: "locked on the other node", run: lockElsewhere},
	{name: "5000 streams through a rolling restart", long: true, run: rollHerd},
	{name: "retention overtaking clients", long: true, run: overtake},
}

// TestFaults breaks everything in the table, and prints what it came to.
func TestFaults(t *testing.T) {
	choice, err := newChoice(knownFaults(), *only, *without)
	if err != nil {
		t.Fatal(err)
	}
	outcome := &table{}
	t.Cleanup(func() {
		say(t, outcome.String())
		if err := outcome.writeTo(*verdict); err != nil {
			t.Error(err)
		}
	})
	chosen := func(list []fault) []fault {
		return slices.DeleteFunc(slices.Clone(list), func(f fault) bool { return !choice[f.name] })
	}
	length := time.Duration(*minutes * float64(time.Minute))
	if list := chosen(faults); len(list) > 0 {
		t.Run("rounds", func(t *testing.T) { roundsOf(t, list, length, false, outcome) })
	}
	if list := chosen(busFaults); len(list) > 0 {
		for _, f := range chosen(faults) {
			if slices.Contains(alsoOverNATS, f.name) {
				list = append(list, f)
			}
		}
		t.Run("rounds over NATS", func(t *testing.T) { roundsOf(t, list, length/3, true, outcome) })
	}
	for _, s := range scenarios {
		if !choice[s.name] || s.long && *minutes < longRun {
			continue
		}
		tell("%s\n", s.name)
		t.Run(s.name, func(t *testing.T) {
			line := outcome.row(s.name)
			line.injected = 1
			t.Cleanup(func() { outcome.list(s.name+": ", line.found) })
			s.run(t, line)
		})
	}
	if outcome.faults() > 0 {
		t.Errorf("%d promises were broken", outcome.faults())
	}
}

func knownFaults() (names []string) {
	for _, f := range slices.Concat(faults, busFaults) {
		names = append(names, f.name)
	}
	for _, s := range scenarios {
		names = append(names, s.name)
	}
	return names
}

// TestPageNamesFaults: docs/faults.md asks for faults that there are.
func TestPageNamesFaults(t *testing.T) {
	page, err := os.ReadFile("../../docs/faults.md")
	if err != nil {
		t.Fatal(err)
	}
	lists := regexp.MustCompile(`(FAULTS|WITHOUT)="([^"]+)"`).FindAllStringSubmatch(string(page), -1)
	if len(lists) == 0 {
		t.Error("it shows none")
	}
	for _, list := range lists {
		if _, err := newChoice(knownFaults(), list[2], ""); err != nil {
			t.Error(err)
		}
	}
}

// newChoice says which faults are to be injected: those that a list names, or all but those of another.
func newChoice(known []string, only, without string) (map[string]bool, error) {
	named := func(list string) (map[string]bool, error) {
		names := map[string]bool{}
		for name := range strings.SplitSeq(list, ",") {
			if name = strings.TrimSpace(name); name != "" && !slices.Contains(known, name) {
				return nil, fmt.Errorf("there is no fault %q; there are:\n%s", name, strings.Join(known, "\n"))
			}
			names[name] = true
		}
		return names, nil
	}
	with, err := named(only)
	if err != nil {
		return nil, err
	}
	less, err := named(without)
	if err != nil {
		return nil, err
	}
	choice := map[string]bool{}
	for _, name := range known {
		choice[name] = (only == "" || with[name]) && !less[name]
	}
	return choice, nil
}

// roundsOf runs rounds of faults against one world for some time.
func roundsOf(t *testing.T, list []fault, length time.Duration, overNATS bool, outcome *table) {
	w := newWorld(t, site{people: *crowd, rate: *rate, nats: overNATS, cluster: testpg.NewCluster(t, "max_connections=100")})
	before := w.vitalsOfAll()
	w.publish()
	began := time.Now()
	draws := newSchedule(*seed, list)
	var rounds []*round
	for time.Since(began) < length {
		r := draws.next()
		tell("%6.1f s  round %d: %v\n", time.Since(began).Seconds(), r.number, r.strikes)
		w.run(r)
		rounds = append(rounds, r)
	}
	took := time.Since(began)
	b, wrong, after := w.end()
	outcome.add(rounds, wrong)
	all, together := overlapping(rounds)
	say(t, fmt.Sprintf("seed %d: %d faults in %d rounds and %.0f s, %d %% of them while another was on; %d people, %d streams, %d letters a second\n  %v\n  at begin %v\n  at end   %v\n",
		*seed, all, len(rounds), took.Seconds(), 100*together/max(1, all), len(w.people), len(w.readers), w.rate, b, before, after))
	if len(list) > 3 && all >= 10 && 100*together < 30*all {
		t.Errorf("only %d of %d faults were on together with another", together, all)
	}
	if b.acked == 0 {
		t.Error("nothing was acknowledged: the run proves nothing")
	}
}

// tell says to a person who waits what is going on. A suite that gathers reports is not told.
func tell(format string, args ...any) {
	if os.Getenv("TEST_REPORTS") == "" {
		fmt.Printf(format, args...)
	}
}

// say prints a part of the outcome, and leaves it where a suite gathers such.
func say(t *testing.T, text string) {
	t.Helper()
	if os.Getenv("TEST_REPORTS") != "" {
		report.Write(t, "faults", text)
		return
	}
	fmt.Printf("\n%s", text)
}

// longRun is from how many minutes on the scenarios run that take their time.
const longRun = 2
