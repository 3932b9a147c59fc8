// Package statements counts what nodes ask of a PostgreSQL, statement by statement.
package statements

import (
	"cmp"
	"context"
	"database/sql"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
)

// Setting makes a PostgreSQL count what it is asked. Prepare has to follow.
const Setting = "shared_preload_libraries=pg_stat_statements"

// Prepare lets a database be asked for the counts.
func Prepare(t testing.TB, db *sql.DB) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), "CREATE EXTENSION pg_stat_statements"); err != nil {
		t.Fatal(err)
	}
}

// Asked is what was asked of a database in some time.
type Asked struct {
	Took   time.Duration
	ByText map[string]Count // the values in a text are $1, $2…
}

// Count is how often one statement was sent, and what it took the database.
type Count struct{ Calls, Rows, MS float64 }

func (a Count) plus(b Count, times float64) Count {
	return Count{a.Calls + times*b.Calls, a.Rows + times*b.Rows, a.MS + times*b.MS}
}

// During counts while f runs.
func During(t testing.TB, db *sql.DB, f func()) Asked {
	t.Helper()
	began, before := time.Now(), soFar(t, db)
	f()
	a := Asked{Took: time.Since(began), ByText: soFar(t, db)}
	for text, count := range before {
		a.ByText[text] = a.ByText[text].plus(count, -1)
	}
	return a
}

// soFar is what was asked so far. BEGIN and COMMIT count, for they are round trips too; what is asked here is asked on
// the same database and does not.
func soFar(t testing.TB, db *sql.DB) map[string]Count {
	t.Helper()
	rows, err := db.QueryContext(context.WithoutCancel(t.Context()), `SELECT query, sum(calls), sum(rows), sum(total_exec_time) FROM pg_stat_statements
		WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) AND query NOT LIKE '%pg_stat_statements%' GROUP BY query`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	all := map[string]Count{}
	for rows.Next() {
		var text string
		var c Count
		if err := rows.Scan(&text, &c.Calls, &c.Rows, &c.MS); err != nil {
			t.Fatal(err)
		}
		text = strings.Join(strings.Fields(text), " ")
		all[text] = all[text].plus(c, 1)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// Calls is how many statements there were.
func (a Asked) Calls() (sum float64) {
	for _, count := range a.ByText {
		sum += count.Calls
	}
	return sum
}

// Less takes off what another time would have seen in as long as this one.
func (a Asked) Less(usual Asked) Asked {
	left := Asked{Took: a.Took, ByText: maps.Clone(a.ByText)}
	for text, count := range usual.ByText {
		left.ByText[text] = left.ByText[text].plus(count, -a.Took.Seconds()/usual.Took.Seconds())
	}
	return left
}

// Without takes off, text by text, what nodes ask by the clock: as much as another time would have seen, and at least
// one of each, for a moment has of what comes twice a second either none or one.
func (a Asked) Without(clockwork Asked) Asked {
	left := Asked{Took: a.Took, ByText: map[string]Count{}}
	for text, count := range a.ByText {
		if by := clockwork.ByText[text].Calls; by > 0 {
			count.Calls = max(0, count.Calls-math.Ceil(by*a.Took.Seconds()/clockwork.Took.Seconds()))
		}
		if count.Calls > 0 {
			left.ByText[text] = count
		}
	}
	return left
}

// Top lists the texts of which most is to be told.
func (a Asked) Top(of func(Count) float64) []string {
	const most = 12
	texts := slices.SortedFunc(maps.Keys(a.ByText), func(x, y string) int {
		return cmp.Compare(of(a.ByText[y]), of(a.ByText[x]))
	})
	return texts[:min(most, len(texts))]
}

// Short is as much of a text as a line has room for.
func Short(text string) string {
	const most = 110
	if len(text) > most {
		return text[:most] + "…"
	}
	return text
}
