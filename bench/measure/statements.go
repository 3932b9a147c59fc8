package main

import (
	"fmt"
	"io"
	"math"

	"belfry/bench/statements"
)

// measure counts the nodes' statements while f runs.
func (s *site) measure(f func()) statements.Asked {
	s.t.Helper()
	return statements.During(s.t, s.db, f)
}

// reportResumes prints what the resumes asked of the database: what it was asked in the restart, less what it is
// asked in as long a time without one, less what nodes ask when they start. The sum is of what there was more of: nodes
// that are away do not poll, and that must not hide anything.
func reportResumes(out io.Writer, herd, usual, starts statements.Asked) {
	fromStarts := starts.Less(usual)
	resumes := herd.Less(usual)
	for text, count := range fromStarts.ByText {
		more := resumes.ByText[text]
		more.Calls -= count.Calls
		resumes.ByText[text] = more
	}
	more := 0.0
	for _, count := range resumes.ByText {
		more += max(count.Calls, 0)
	}
	fmt.Fprintf(out, "  database: %.0f statements in the restart (%.1f s), %.0f in as long without one, %.0f by two nodes that start: %.0f by resumes\n",
		herd.Calls(), herd.Took.Seconds(), usual.Calls(), fromStarts.Calls(), more)
	rows := []string{"by resumes\tin the restart\twithout\tby starts\t  statement"}
	for _, text := range resumes.Top(func(c statements.Count) float64 { return math.Abs(c.Calls) }) {
		if math.Abs(resumes.ByText[text].Calls) < 1 {
			break
		}
		rows = append(rows, fmt.Sprintf("%.0f\t%.0f\t%.0f\t%.0f\t  %s", resumes.ByText[text].Calls, herd.ByText[text].Calls,
			usual.ByText[text].Calls, fromStarts.ByText[text].Calls, statements.Short(text)))
	}
	table(out, rows...)
}

// reportAsked prints what took the database's time.
func reportAsked(out io.Writer, asked statements.Asked) {
	rows := []string{"calls/s\trows/call\tms/call\tof a core\t  statement"}
	for _, text := range asked.Top(func(c statements.Count) float64 { return c.MS }) {
		c := asked.ByText[text]
		if c.Calls < 1 {
			continue
		}
		rows = append(rows, fmt.Sprintf("%.0f\t%.1f\t%.3f\t%.0f %%\t  %s", c.Calls/asked.Took.Seconds(), c.Rows/c.Calls, c.MS/c.Calls,
			c.MS/10/asked.Took.Seconds(), statements.Short(text)))
	}
	table(out, rows...)
}
