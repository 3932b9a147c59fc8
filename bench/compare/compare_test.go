package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"belfry/bench/server"
	"belfry/internal/testpg"
)

func TestMain(m *testing.M) {
	code := testpg.Run(m, nil)
	server.Remove()
	removeRivals()
	os.Exit(code)
}

func planOf(t *testing.T, args ...string) *plan {
	t.Helper()
	var o options
	set := flag.NewFlagSet("compare", flag.ContinueOnError)
	o.flags(set)
	if err := set.Parse(args); err != nil {
		t.Fatal(err)
	}
	p, err := newPlan(&o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestPage: docs/performance.md asks for what can be asked for.
func TestPage(t *testing.T) {
	page, err := os.ReadFile("../../docs/performance.md")
	if err != nil {
		t.Fatal(err)
	}
	shown := regexp.MustCompile(`(?m)^    make bench ARGS="([^"]+)"`).FindAllStringSubmatch(string(page), -1)
	if len(shown) < 10 {
		t.Errorf("it shows %d", len(shown))
	}
	for _, arguments := range shown {
		planOf(t, strings.Fields(arguments[1])...)
	}
}

// Every scenario, too short to tell anything but that it works, that nothing was lost, and that each figure of each
// table is there. The rivals have a test of their own. Where PostgreSQL does not matter, it is left out: to start one
// takes longer than all the rest.
func TestCompare(t *testing.T) {
	for scenarios, servers := range map[string]string{
		"idle,everyone,rate":                            "raw1,gosse,belfry-sqlite",
		"fanout,unicast,batch,storm,expiry,login,mixed": "raw1,gosse,belfry-postgres,belfry-sqlite",
	} {
		t.Run(servers, func(t *testing.T) {
			t.Parallel()
			if _, err := os.Stat(nchanModule); err == nil {
				servers += ",nchan" // "make bench" installs it, the tests do without
			}
			compareAll(t, planOf(t, "-rounds=1", "-duration=150ms", "-warmup=20ms", "-hold=50ms", "-quiet=200ms", "-streams=30", "-idle=40", "-publishers=4", "-storm=40",
				"-batch=20", "-rate=100", "-sessions=20", "-lead=1s", "-login-streams=10", "-logins=2", "-locks=20", "-scenarios="+scenarios, "-servers="+servers))
		})
	}
}

func compareAll(t *testing.T, p *plan) {
	t.Helper()
	r := p.measure(io.Discard, func(name string, body func(testing.TB)) { t.Run(name, func(t *testing.T) { body(t) }) })
	if r.failed() {
		t.Errorf("%+v", r.Results)
	}
	runs := 0
	for _, s := range p.scenarios {
		for _, c := range p.servers {
			if s.only != nil && !s.only(c) {
				continue
			}
			runs++
			for _, column := range s.columns {
				if column.ratio && s.name == "batch" {
					continue // raw1 does not do that
				}
				if column.key == "queries" && c.name != "belfry-postgres" {
					continue // only that one can be asked
				}
				if len(r.values(s, c.name, column)) != 1 {
					t.Errorf("%s of %s: nothing for %q", s.name, c.name, column.title)
				}
			}
			if lost := r.values(s, c.name, column{key: "lost"}); len(lost) > 0 && lost[0] != 0 {
				t.Errorf("%s lost %v in %s", c.name, lost, s.name)
			}
		}
	}
	if runs != len(r.Results) || runs < 2*len(p.servers) {
		t.Errorf("%d results of %d runs", len(r.Results), runs)
	}
	var printed strings.Builder
	r.print(&printed)
	t.Log("\n" + printed.String())
	path := filepath.Join(t.TempDir(), "all.json")
	if err := r.save(path); err != nil {
		t.Fatal(err)
	}
	var saved report
	if text, err := os.ReadFile(path); err != nil || json.Unmarshal(text, &saved) != nil || len(saved.Results) != runs || saved.Machine == "" {
		t.Errorf("%d results were saved: %v", len(saved.Results), err)
	}
}

func TestProfiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := planOf(t, "-rounds=1", "-scenarios=batch", "-duration=100ms", "-warmup=10ms", "-streams=5", "-batch=5", "-servers=belfry-sqlite", "-profiles="+dir)
	r := p.measure(io.Discard, func(name string, body func(testing.TB)) { t.Run(name, func(t *testing.T) { body(t) }) })
	text, err := os.ReadFile(filepath.Join(dir, "batch-belfry-sqlite-1.pprof"))
	if r.failed() || err != nil || !bytes.HasPrefix(text, []byte{0x1f, 0x8b}) { // it is compressed
		t.Errorf("a profile of %d bytes: %v", len(text), err)
	}
}

func TestMediansAndRatios(t *testing.T) {
	s := &scenario{name: "s", columns: []column{{"per s", "n", 1, false}, {"× raw1", "n", 2, true}, {"nothing", "none", 0, false}}}
	r := &report{plan: &plan{options: &options{rounds: 3}, scenarios: []*scenario{s}, servers: []*contestant{{name: "raw1"}, {name: "x"}}}}
	for round, n := range []float64{10, 40, 20} {
		r.Results = append(r.Results, Result{Scenario: "s", Server: "raw1", Round: round, Values: map[string]float64{"n": n}})
	}
	for round, n := range []float64{5, 60, 20} { // of raw1 in the same round a half, three halves, all
		r.Results = append(r.Results, Result{Scenario: "s", Server: "x", Round: round, Values: map[string]float64{"n": n}})
	}
	r.Results = append(r.Results, Result{Scenario: "s", Server: "x", Round: 4, Fault: "failed"}, Result{Scenario: "t", Server: "x", Values: map[string]float64{"n": 1000}})
	if got := strings.Join(r.row(s, "x"), "\t"); got != "x\t3\t20.0 (5.0–60.0)\t1.00 (0.50–1.50)\t–\t1 FAILED" {
		t.Error(got)
	}
	if got := strings.Join(r.row(s, "raw1"), "\t"); got != "raw1\t3\t20.0 (10.0–40.0)\t1.00\t–" {
		t.Error(got)
	}
	if !r.failed() {
		t.Error("a failure is none")
	}
	if got := spread([]float64{1, 2, 4, 5}, 0); got != "3 (1–5)" {
		t.Error(got)
	}
}

func TestOptionsAreRead(t *testing.T) {
	for _, args := range [][]string{{"-servers=raw9"}, {"-scenarios=idle,sleep"}, {"-idle=5,x"}, {"-publishers=0"}} {
		var o options
		set := flag.NewFlagSet("compare", flag.ContinueOnError)
		o.flags(set)
		if err := set.Parse(args); err != nil {
			t.Fatal(err)
		}
		if _, err := newPlan(&o); err == nil {
			t.Errorf("%v is taken", args)
		}
	}
	if p := planOf(t); len(p.servers) != 11 || len(p.scenarios) != 12 {
		t.Errorf("all are %d servers and %d scenarios", len(p.servers), len(p.scenarios))
	}
}
