package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"time"
)

// statements is what the nodes asked of the database in some time.
type statements struct {
	took   time.Duration
	byText map[string]asked // the values in a text are $1, $2…
}

// asked is how often one statement was sent, and what it took the database.
type asked struct{ calls, rows, ms float64 }

func (a asked) plus(b asked, times float64) asked {
	return asked{a.calls + times*b.calls, a.rows + times*b.rows, a.ms + times*b.ms}
}

// measure counts the nodes' statements while f runs.
func (s *site) measure(f func()) statements {
	s.t.Helper()
	began, before := time.Now(), s.asked()
	f()
	m := statements{took: time.Since(began), byText: s.asked()}
	for text, a := range before {
		m.byText[text] = m.byText[text].plus(a, -1)
	}
	return m
}

// asked is what the nodes have asked so far. BEGIN and COMMIT count, for they are round trips too; what is
// asked here is asked on the same database and does not.
func (s *site) asked() map[string]asked {
	s.t.Helper()
	rows, err := s.db.QueryContext(context.WithoutCancel(s.t.Context()), `SELECT query, sum(calls), sum(rows), sum(total_exec_time) FROM pg_stat_statements
		WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) AND query NOT LIKE '%pg_stat_statements%' GROUP BY query`)
	if err != nil {
		s.t.Fatal(err)
	}
	defer rows.Close()
	all := map[string]asked{}
	for rows.Next() {
		var text string
		var a asked
		if err := rows.Scan(&text, &a.calls, &a.rows, &a.ms); err != nil {
			s.t.Fatal(err)
		}
		text = strings.Join(strings.Fields(text), " ")
		all[text] = all[text].plus(a, 1)
	}
	if err := rows.Err(); err != nil {
		s.t.Fatal(err)
	}
	return all
}

func (m statements) calls() (sum float64) {
	for _, a := range m.byText {
		sum += a.calls
	}
	return sum
}

// less takes off what another time would have seen in as long as this one.
func (m statements) less(usual statements) statements {
	left := statements{took: m.took, byText: maps.Clone(m.byText)}
	for text, a := range usual.byText {
		left.byText[text] = left.byText[text].plus(a, -m.took.Seconds()/usual.took.Seconds())
	}
	return left
}

// top lists the texts of which most is to be told.
func (m statements) top(of func(asked) float64) []string {
	const most = 12
	texts := slices.SortedFunc(maps.Keys(m.byText), func(a, b string) int {
		return cmp.Compare(of(m.byText[b]), of(m.byText[a]))
	})
	return texts[:min(most, len(texts))]
}

// reportResumes prints what the resumes asked of the database: what it was asked in the restart, less what it is
// asked in as long a time without one, less what nodes ask when they start. The sum is of what there was more of: nodes
// that are away do not poll, and that must not hide anything.
func reportResumes(out io.Writer, herd, usual, starts statements) {
	fromStarts := starts.less(usual)
	resumes := herd.less(usual)
	for text, a := range fromStarts.byText {
		resumes.byText[text] = resumes.byText[text].plus(a, -1)
	}
	more := 0.0
	for _, a := range resumes.byText {
		more += max(a.calls, 0)
	}
	fmt.Fprintf(out, "  database: %.0f statements in the restart (%.1f s), %.0f in as long without one, %.0f by two nodes that start: %.0f by resumes\n",
		herd.calls(), herd.took.Seconds(), usual.calls(), fromStarts.calls(), more)
	rows := []string{"by resumes\tin the restart\twithout\tby starts\t  statement"}
	for _, text := range resumes.top(func(a asked) float64 { return math.Abs(a.calls) }) {
		if math.Abs(resumes.byText[text].calls) < 1 {
			break
		}
		rows = append(rows, fmt.Sprintf("%.0f\t%.0f\t%.0f\t%.0f\t  %s", resumes.byText[text].calls, herd.byText[text].calls,
			usual.byText[text].calls, fromStarts.byText[text].calls, short(text)))
	}
	table(out, rows...)
}

// reportAsked prints what took the database's time.
func reportAsked(out io.Writer, m statements) {
	rows := []string{"calls/s\trows/call\tms/call\tof a core\t  statement"}
	for _, text := range m.top(func(a asked) float64 { return a.ms }) {
		a := m.byText[text]
		if a.calls < 1 {
			continue
		}
		rows = append(rows, fmt.Sprintf("%.0f\t%.1f\t%.3f\t%.0f %%\t  %s", a.calls/m.took.Seconds(), a.rows/a.calls, a.ms/a.calls,
			a.ms/10/m.took.Seconds(), short(text)))
	}
	table(out, rows...)
}

func short(text string) string {
	const most = 110
	if len(text) > most {
		return text[:most] + "…"
	}
	return text
}
