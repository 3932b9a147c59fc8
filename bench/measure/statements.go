package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

// statements is how often the nodes sent each statement in some time.
type statements struct {
	took  time.Duration
	calls map[string]float64 // by text, in which values are $1, $2…
}

// measure counts the nodes' statements while f runs.
func (h *herd) measure(t testing.TB, f func()) statements {
	t.Helper()
	began, before := time.Now(), h.site.calls()
	f()
	m := statements{took: time.Since(began), calls: h.site.calls()}
	for text, calls := range before {
		m.calls[text] -= calls
	}
	return m
}

// calls is how often the nodes have sent each statement so far. BEGIN and COMMIT count, for they are
// round trips too; what is asked here is asked on the same database and does not.
func (s *site) calls() map[string]float64 {
	s.t.Helper()
	rows, err := s.db.QueryContext(context.WithoutCancel(s.t.Context()), `SELECT query, sum(calls) FROM pg_stat_statements
		WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) AND query NOT LIKE '%pg_stat_statements%' GROUP BY query`)
	if err != nil {
		s.t.Fatal(err)
	}
	defer rows.Close()
	calls := map[string]float64{}
	for rows.Next() {
		var text string
		var n float64
		if err := rows.Scan(&text, &n); err != nil {
			s.t.Fatal(err)
		}
		calls[strings.Join(strings.Fields(text), " ")] += n
	}
	if err := rows.Err(); err != nil {
		s.t.Fatal(err)
	}
	return calls
}

func (m statements) sum() (sum float64) {
	for _, n := range m.calls {
		sum += n
	}
	return sum
}

// less takes off what another time would have seen in as long as this one.
func (m statements) less(usual statements) statements {
	left := statements{took: m.took, calls: maps.Clone(m.calls)}
	for text, n := range usual.calls {
		left.calls[text] -= n * m.took.Seconds() / usual.took.Seconds()
	}
	return left
}

// reportStatements prints what the resumes asked of the database: what it was asked in the restart, less what it is
// asked in as long a time without one, less what nodes ask when they start.
func reportStatements(out io.Writer, herd, usual, starts statements) {
	const most = 12
	fromStarts := starts.less(usual)
	resumes := herd.less(usual)
	for text, n := range fromStarts.calls {
		resumes.calls[text] -= n
	}
	fmt.Fprintf(out, "  database: %.0f statements in the restart (%.1f s), %.0f in as long without one, %.0f by two starting nodes: %.0f by resumes\n",
		herd.sum(), herd.took.Seconds(), usual.sum(), fromStarts.sum(), resumes.sum())
	texts := slices.SortedFunc(maps.Keys(resumes.calls), func(a, b string) int {
		return int(abs(resumes.calls[b]) - abs(resumes.calls[a]))
	})
	rows := []string{"by resumes\tin the restart\twithout\tby starts\t  statement"}
	for _, text := range texts[:min(most, len(texts))] {
		if abs(resumes.calls[text]) < 1 {
			break
		}
		rows = append(rows, fmt.Sprintf("%.0f\t%.0f\t%.0f\t%.0f\t  %s", resumes.calls[text], herd.calls[text], usual.calls[text], fromStarts.calls[text], short(text)))
	}
	table(out, rows...)
}

func abs(n float64) float64 { return max(n, -n) }

func short(text string) string {
	const most = 110
	if len(text) > most {
		return text[:most] + "…"
	}
	return text
}
