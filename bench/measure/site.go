package main

import (
	"database/sql"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"belfry/bench/server"
	"belfry/bench/statements"
	"belfry/internal/testpg"
)

// site is a PostgreSQL with some nodes on it, and people.
type site struct {
	t       testing.TB
	cluster *testpg.Cluster
	db      *sql.DB // on the nodes' database
	dsn     string
	nodes   []*server.Node
	secret  string // of an API key that may do everything
	people  []string
}

// newSite starts a PostgreSQL that keeps what it has acknowledged, and gives the nodes a database of their
// own there, so that only their statements are counted as theirs.
func newSite(t testing.TB, settings ...string) *site {
	t.Helper()
	s := &site{t: t, cluster: testpg.NewCluster(t, append(settings, "max_connections=200")...)}
	admin := s.open(s.cluster.DSN())
	s.exec(admin, "CREATE DATABASE belfry")
	address, err := url.Parse(s.cluster.DSN())
	if err != nil {
		t.Fatal(err)
	}
	address.Path = "/belfry"
	s.dsn = address.String()
	s.db = s.open(s.dsn)
	if slices.Contains(settings, statements.Setting) {
		statements.Prepare(t, s.db)
	}
	return s
}

func (s *site) open(dsn string) *sql.DB {
	s.t.Helper()
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = db.Close() })
	return db
}

func (s *site) exec(db *sql.DB, statement string) {
	s.t.Helper()
	if _, err := db.ExecContext(s.t.Context(), statement); err != nil {
		s.t.Fatalf("%s: %v", statement, err)
	}
}

// setting asks PostgreSQL what it runs with.
func (s *site) setting(name string) (value string) {
	s.t.Helper()
	if err := s.db.QueryRowContext(s.t.Context(), "SELECT current_setting($1)", name).Scan(&value); err != nil {
		s.t.Fatal(err)
	}
	return value
}

// addNode starts one more node.
func (s *site) addNode(settings ...string) {
	s.t.Helper()
	node := server.New(s.t, s.dsn, settings...)
	if s.secret == "" {
		s.secret = node.AddKey("bench", "notices:write,sessions:write,users:write,tickets:write")
	}
	node.MustStart()
	s.nodes = append(s.nodes, node)
}

// addPeople makes people through the API of the first node: the command line would take a process for each.
func (s *site) addPeople(n int) {
	s.t.Helper()
	for i := range n {
		s.people = append(s.people, fmt.Sprintf("ringer%03d", i))
	}
	s.nodes[0].ByKey(s.secret).PostUsers(s.t, s.people...)
}

// removeNodes ends all nodes; the database stays.
func (s *site) removeNodes() {
	for _, node := range s.nodes {
		node.Kill()
	}
	s.nodes = nil
}

// describe says on what it was measured.
func (s *site) describe() string {
	return fmt.Sprintf("%d nodes on one PostgreSQL %s, fsync %s, synchronous_commit %s", len(s.nodes),
		strings.Fields(s.setting("server_version"))[0], s.setting("fsync"), s.setting("synchronous_commit"))
}

// table writes rows of cells. A tab ends a cell, which is set to the right of its column; what follows the
// last tab is as it is.
func table(out io.Writer, rows ...string) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, row := range rows {
		fmt.Fprintln(w, "  "+row)
	}
	_ = w.Flush()
}

// ms is a duration in milliseconds, as tables give it.
func ms(d time.Duration) string { return fmt.Sprintf("%.2f", float64(d.Microseconds())/1000) }

// share is the element of a sorted list that so many of all are not above.
func share(sorted []time.Duration, of float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(int(of*float64(len(sorted))), len(sorted)-1)]
}
