package faults_test

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// row is what all injections of one fault came to.
type row struct {
	name     string
	injected int
	together int // of them, while another fault was on
	wrong    [kinds]int
	alone    []time.Duration // times to recover, where it was the only fault
	all      []time.Duration // the same, of all
	during   []time.Duration // delays while it was on
	void     int             // deliveries that went with a database that is no more
	found    []anomaly       // in a scenario of its own
	note     string
}

// add books what a scenario's own load came to.
func (r *row) add(b balance, wrong []anomaly) {
	r.void += b.void
	for _, found := range wrong {
		r.wrong[found.kind]++
	}
	r.found = append(r.found, wrong...)
}

// breaks books one broken promise of a scenario.
func (r *row) breaks(k kind, who, format string, args ...any) {
	r.add(balance{}, []anomaly{{k, time.Now(), who, fmt.Sprintf(format, args...)}})
}

// recovers waits until all is well after a fault, and books when each reader got the first letter.
func (r *row) recovers(l *load) {
	since := time.Now()
	p := l.probe(wellWithin)
	r.alone = append(r.alone, p.since(since)...)
	if missing := p.missing(); len(missing) > 0 {
		r.breaks(broken, missing[0], "%d readers have got nothing after it", len(missing))
	}
}

// table is the outcome of a run.
type table struct {
	rows []*row
	text []string // what stands below it
}

func (t *table) row(name string) *row {
	for _, r := range t.rows {
		if r.name == name {
			return r
		}
	}
	r := &row{name: name}
	t.rows = append(t.rows, r)
	return r
}

// blame is how long before a round a letter may have been sent that the round hit.
const blame = 2 * time.Second

// noFault is the row of what went wrong while nothing was broken.
const noFault = "(none of them)"

// add books what a load came to. A broken promise is blamed on all faults of the rounds it falls into.
func (t *table) add(rounds []*round, wrong []anomaly) {
	for _, r := range rounds {
		for _, s := range r.strikes {
			line := t.row(s.name)
			line.injected++
			if slices.ContainsFunc(r.strikes, s.overlaps) {
				line.together++
			}
			line.all = append(line.all, r.recover...)
			line.during = append(line.during, r.during...)
			if len(r.strikes) == 1 {
				line.alone = append(line.alone, r.recover...)
			}
		}
	}
	for _, found := range wrong {
		blamed := false
		for _, r := range rounds {
			if found.when.Before(r.began.Add(-blame)) || found.when.After(r.over) {
				continue
			}
			for _, s := range r.strikes {
				t.row(s.name).wrong[found.kind]++
				blamed = true
			}
		}
		if !blamed {
			t.row(noFault).wrong[found.kind]++
		}
	}
	t.list("", wrong)
}

// list names the first of what went wrong.
func (t *table) list(title string, wrong []anomaly) {
	const most = 40
	slices.SortFunc(wrong, func(a, b anomaly) int { return a.when.Compare(b.when) })
	for i, found := range wrong {
		if i == most {
			t.text = append(t.text, fmt.Sprintf("and %d more", len(wrong)-most))
			break
		}
		t.text = append(t.text, title+found.String())
	}
}

func (t *table) faults() (n int) {
	for _, r := range t.rows {
		for _, count := range r.wrong {
			n += count
		}
	}
	return n
}

func (t *table) String() string {
	var text strings.Builder
	out := tabwriter.NewWriter(&text, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(out, "\tinjected\twith others\tlost\torder\tduplicates\tphantom\tforeign\tgap\tother\trecover p50\tp99\tmax\twhile on\t\n")
	for _, r := range t.rows {
		times, mark := r.alone, ""
		if len(times) == 0 {
			times, mark = r.all, "~"
		}
		fmt.Fprintf(out, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%s\t%s\t%s\t%s\t\n", r.name, r.injected, r.together,
			r.wrong[lost], r.wrong[disorder], r.wrong[duplicate], r.wrong[phantom], r.wrong[foreign], r.wrong[gap], r.wrong[misplaced]+r.wrong[broken],
			mark+quantile(times, 0.5), mark+quantile(times, 0.99), mark+quantile(times, 1), quantile(r.during, 1))
	}
	_ = out.Flush()
	text.WriteString("times in ms, of every reader; ~ where the fault was never the only one; while on: the longest delay of a letter that the fault may not hold up\n")
	for _, r := range t.rows {
		if r.note != "" {
			fmt.Fprintf(&text, "%s: %s\n", r.name, r.note)
		}
	}
	for _, line := range t.text {
		text.WriteString(line + "\n")
	}
	return text.String()
}

// writeTo writes how many promises each fault broke, for a program to read. No path: nothing.
func (t *table) writeTo(path string) error {
	if path == "" {
		return nil
	}
	broken := map[string]int{}
	for _, r := range t.rows {
		for _, count := range r.wrong {
			broken[r.name] += count
		}
	}
	text, err := json.Marshal(broken)
	if err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o600)
}

// quantile gives a share of times in ms; nothing when there are none.
func quantile(times []time.Duration, share float64) string {
	if len(times) == 0 {
		return ""
	}
	times = slices.Sorted(slices.Values(times))
	return fmt.Sprint(times[int(share*float64(len(times)-1))].Milliseconds())
}
