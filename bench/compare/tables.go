package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// print writes a table for each scenario: medians over the rounds, with the least and the greatest.
func (r *report) print(out io.Writer) {
	fmt.Fprintf(out, "%s\n%d rounds from %s; median (least–greatest)\n", r.Machine, r.plan.options.rounds, r.Began.Format(time.DateTime))
	for _, s := range r.plan.scenarios {
		fmt.Fprintf(out, "\n%s\n", s.name)
		w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
		for _, row := range r.table(s) {
			fmt.Fprintln(w, strings.Join(row, "\t")+"\t")
		}
		_ = w.Flush()
	}
}

// markdown writes the same for the documentation.
func (r *report) markdown(out io.Writer) {
	fmt.Fprintf(out, "%s; from %s; median (least–greatest)\n", r.Machine, r.Began.Format(time.DateTime))
	for _, s := range r.plan.scenarios {
		fmt.Fprintf(out, "\n### %s\n\n", s.name)
		for i, row := range r.table(s) {
			fmt.Fprintf(out, "| %s |\n", strings.Join(row, " | "))
			if i == 0 {
				fmt.Fprintln(out, "|"+strings.Repeat("---|", len(row)))
			}
		}
	}
}

// table is the cells of a scenario's table, its head first.
func (r *report) table(s *scenario) [][]string {
	if s.grows != nil {
		return r.growthTable(s)
	}
	head := []string{"server", "runs"}
	for _, c := range s.columns {
		head = append(head, c.title)
	}
	rows := [][]string{head}
	for _, c := range r.plan.servers {
		if r.has(s, c.name) {
			rows = append(rows, r.row(s, c.name))
		}
	}
	return rows
}

// has says whether a server was measured, or failed to be.
func (r *report) has(s *scenario, server string) bool {
	return slices.ContainsFunc(r.Results, func(result Result) bool { return result.Scenario == s.name && result.Server == server })
}

func (r *report) row(s *scenario, of string) []string {
	row := []string{of, strconv.Itoa(len(r.values(s, of, column{key: ""})))}
	for _, c := range s.columns {
		row = append(row, spread(r.values(s, of, c), c.decimals))
	}
	return r.withFaults(row, s, of)
}

func (r *report) withFaults(row []string, s *scenario, of string) []string {
	if n := r.faults(s, of); n > 0 {
		row = append(row, fmt.Sprintf("%d FAILED", n))
	}
	return row
}

// growthTable has a row for each size.
func (r *report) growthTable(s *scenario) [][]string {
	head := []string{"server", s.grows.of, "runs"}
	for _, f := range s.grows.figures {
		head = append(head, f.title, "×")
	}
	rows := [][]string{head}
	for _, c := range r.plan.servers {
		if !r.has(s, c.name) {
			continue
		}
		for _, size := range s.grows.sizes {
			row := []string{c.name, count(size), strconv.Itoa(len(r.values(s, c.name, column{})))}
			for _, f := range s.grows.figures {
				row = append(row, spread(r.values(s, c.name, column{key: at(f.key, size)}), f.decimals), spread(r.values(s, c.name, column{key: at(f.key+"_x", size)}), 2))
			}
			rows = append(rows, r.withFaults(row, s, c.name))
		}
	}
	return rows
}

// readReports reads what -json saved, of one run or of several, as one.
func readReports(paths []string) (*report, error) {
	all := &report{}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		var more report
		if err := json.Unmarshal(text, &more); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		more.Results = append(all.Results, more.Results...)
		all = &more
	}
	return all, nil
}

// tables writes what was saved as the documentation has it.
func tables(args []string, out io.Writer) error {
	if len(args) == 0 {
		return errors.New("usage: compare tables FILE.json…")
	}
	r, err := readReports(args)
	if err != nil {
		return err
	}
	if r.plan, err = r.planned(); err == nil {
		r.markdown(out)
	}
	return err
}

// planned is what must have been planned for these results.
func (r *report) planned() (*plan, error) {
	var o options
	o.flags(flag.NewFlagSet("", flag.ContinueOnError)) // the defaults
	p := &plan{options: &o}
	seen := map[string]bool{}
	for _, result := range r.Results {
		if seen[result.Scenario] {
			continue
		}
		seen[result.Scenario] = true
		name, size, sized := strings.Cut(result.Scenario, "-")
		if name == "growth" {
			name = result.Scenario
			var sizes []string
			for _, size := range r.sizes(name) {
				sizes = append(sizes, strconv.Itoa(size))
			}
			size, sized = strings.Join(sizes, ","), true
		}
		if sized {
			o.idle, o.publishers, o.growthStreams, o.growthRows, o.growthGroups = size, size, size, size, size
		}
		found, err := scenariosNamed(name, &o)
		if err != nil {
			return nil, err
		}
		p.scenarios = append(p.scenarios, found[0])
	}
	for _, c := range contestants() {
		if slices.ContainsFunc(r.Results, func(result Result) bool { return result.Server == c.name }) {
			p.servers = append(p.servers, c)
		}
	}
	return p, nil
}
