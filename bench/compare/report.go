package main

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"belfry/bench/machine"
)

// column is one figure of a table.
type column struct {
	title    string
	key      string // of the value
	decimals int
	ratio    bool // to raw1 of the same round
}

var (
	idleColumns = []column{{"KiB RSS/stream", "rss", 2, false}, {"KiB PSS/stream", "pss", 2, false}, {"RSS of nobody's, KiB", "before", 0, false}, {"RSS of all, KiB", "after", 0, false},
		{"all open, s", "connect", 2, false}}

	deliveryColumns = []column{{"deliveries/s", "per_s", 0, false}, {"per server CPU s", "per_cpu_s", 0, false}, {"× raw1", "per_cpu_s", 2, true},
		{"µs/delivery", "us", 2, false}, {"with database: × raw1", "per_cpu_s_with_database", 2, true}, {"µs", "us_with_database", 2, false}}
	latencyColumns = []column{{"p50 ms", "latency_p50", 2, false}, {"p99 ms", "latency_p99", 2, false}, {"max ms", "latency_max", 1, false},
		{"after ack p99 ms", "after_ack_p99", 2, false}}
	publishColumns = []column{{"notices/s", "per_s", 0, false}, {"per server CPU s", "per_cpu_s", 0, false}, {"× raw1", "per_cpu_s", 2, true},
		{"µs/notice", "us", 1, false}, {"with database: µs", "us_with_database", 1, false}}
	ackColumns   = []column{{"ack p50 ms", "ack_p50", 2, false}, {"p99 ms", "ack_p99", 2, false}, {"delivery p50 ms", "latency_p50", 2, false}, {"p99 ms", "latency_p99", 2, false}}
	stormColumns = []column{{"all caught up, s", "caught_up", 3, false}, {"open p50 ms", "connect_p50", 0, false}, {"server CPU s", "cpu_s", 3, false},
		{"µs/reconnect", "us", 0, false}, {"with database: µs", "us_with_database", 0, false}, {"queries", "queries", 0, false}}
	expiryColumns = []column{{"late p50 ms", "late_p50", 1, false}, {"p99 ms", "late_p99", 1, false}, {"max ms", "late_max", 1, false}, {"early", "early", 0, false},
		{"missing", "missing", 0, false}, {"µs/lock", "us", 0, false}, {"with database: µs", "us_with_database", 0, false}}
	loginColumns = []column{{"logins/s", "per_s", 1, false}, {"login p50 ms", "login_p50", 0, false}, {"p99 ms", "login_p99", 0, false}, {"ms CPU/login", "ms", 1, false},
		{"notice p50 ms without", "quiet_p50", 2, false}, {"p99 ms", "quiet_p99", 2, false}, {"max ms", "quiet_max", 1, false},
		{"with p50 ms", "latency_p50", 2, false}, {"p99 ms", "latency_p99", 2, false}, {"max ms", "latency_max", 1, false}}
	mixedColumns = []column{{"deliveries/s", "per_s", 0, false}, {"group p50 ms", "together_p50", 2, false}, {"p99 ms", "together_p99", 2, false},
		{"single p50 ms", "single_p50", 2, false}, {"p99 ms", "single_p99", 2, false}, {"ack p50 ms", "ack_p50", 2, false}, {"p99 ms", "ack_p99", 2, false},
		{"page p50 ms", "page_p50", 2, false}, {"p99 ms", "page_p99", 2, false}, {"lock answered p99 ms", "lock_p99", 2, false}, {"told p99 ms", "lock_told_p99", 2, false},
		{"unlock answered p99 ms", "unlock_p99", 1, false}, {"told p99 ms", "unlock_told_p99", 1, false}, {"µs/delivery", "us", 2, false}, {"with database: µs", "us_with_database", 2, false}}
	accountColumns = []column{{"lost", "lost", 0, false}, {"doubled", "doubled", 0, false}, {"disorder", "disorder", 0, false},
		{"RSS end, KiB", "rss_end", 0, false}, {"generator, % of server", "generator", 0, false}}
)

// Result is one measurement.
type Result struct {
	Scenario string             `json:"scenario"`
	Server   string             `json:"server"`
	Round    int                `json:"round"`
	Values   map[string]float64 `json:"values,omitempty"`
	Fault    string             `json:"fault,omitempty"`
}

// report is all that was measured, and on what.
type report struct {
	Machine string    `json:"machine"`
	Began   time.Time `json:"began"`
	Results []Result  `json:"results"`

	plan *plan
}

func newReport(p *plan) *report {
	return &report{Machine: machine.Describe(), Began: time.Now().UTC().Truncate(time.Second), plan: p}
}

func (r *report) failed() bool {
	return slices.ContainsFunc(r.Results, func(result Result) bool { return result.Fault != "" })
}

func (r *report) faults(s *scenario, of string) (n int) {
	for _, result := range r.Results {
		if result.Scenario == s.name && result.Server == of && result.Fault != "" {
			n++
		}
	}
	return n
}

// values are those of a column, one a round that has it. The column without a key has one for each run.
func (r *report) values(s *scenario, of string, c column) (all []float64) {
	for _, result := range r.Results {
		if result.Scenario != s.name || result.Server != of || result.Values == nil {
			continue
		}
		value, found := result.Values[c.key]
		if c.ratio {
			raw, measured := r.raw(s, result.Round)[c.key]
			found = found && measured && raw > 0
			value /= cmp.Or(raw, 1)
		}
		if found || c.key == "" {
			all = append(all, value)
		}
	}
	slices.Sort(all)
	return all
}

// raw is what raw1 did in a round.
func (r *report) raw(s *scenario, round int) map[string]float64 {
	for _, result := range r.Results {
		if result.Scenario == s.name && result.Server == "raw1" && result.Round == round {
			return result.Values
		}
	}
	return nil
}

// spread is a median, and where there is more than one value the least and the greatest.
func spread(sorted []float64, decimals int) string {
	text := func(v float64) string { return strconv.FormatFloat(v, 'f', decimals, 64) }
	switch n := len(sorted); {
	case n == 0:
		return "–"
	case text(sorted[0]) == text(sorted[n-1]):
		return text(sorted[0])
	default:
		return fmt.Sprintf("%s (%s–%s)", text(median(sorted)), text(sorted[0]), text(sorted[n-1]))
	}
}

func median(sorted []float64) float64 {
	n := len(sorted)
	return (sorted[n/2] + sorted[(n-1)/2]) / 2
}

// brief is one measurement on a line.
func (s *scenario) brief(r Result) string {
	if r.Fault != "" {
		return r.Fault
	}
	var parts []string
	for _, c := range s.columns {
		if value, found := r.Values[c.key]; found && !c.ratio {
			parts = append(parts, fmt.Sprintf("%s %s", c.title, strconv.FormatFloat(value, 'f', c.decimals, 64)))
		}
	}
	return strings.Join(parts, ", ")
}
