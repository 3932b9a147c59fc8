package testpg

import (
	"bufio"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// childMode makes the test binary, started again by a test, play one that is killed or has
// another server.
const childMode = "TESTPG_CHILD"

func TestMain(m *testing.M) { os.Exit(Run(m, migrate)) }

func migrate(dsn string) error {
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		return err
	}
	_, err = db.Exec("CREATE TABLE bells (name text PRIMARY KEY)")
	return errors.Join(err, db.Close())
}

func open(t *testing.T, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func count(t *testing.T, db *sql.DB, query string) (n int) {
	t.Helper()
	if err := db.QueryRow(query).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestDatabaseIsMigratedAndItsOwn(t *testing.T) {
	for range 4 {
		t.Run("one of several at once", func(t *testing.T) {
			t.Parallel()
			db := open(t, Database(t))
			if n := count(t, db, "SELECT count(*) FROM bells"); n != 0 {
				t.Fatalf("a new database holds %d rows of another test", n)
			}
			if _, err := db.Exec("INSERT INTO bells VALUES ('great tom')"); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestDatabaseIsDroppedThoughConnected(t *testing.T) {
	var dsn string
	t.Run("user", func(t *testing.T) {
		dsn = Database(t)
		db, err := sql.Open("pgx", dsn)
		if err != nil || db.Ping() != nil {
			t.Fatal("no connection")
		}
		// Closed by the outer test's end, so the connection is there at the drop.
		t.Cleanup(func() { t.Log("open connections:", db.Stats().OpenConnections) })
	})
	var refused *pgconn.PgError
	if err := open(t, dsn).Ping(); !errors.As(err, &refused) || refused.Code != "3D000" {
		t.Fatalf("want an unknown database, got %v", err)
	}
}

func TestClusterKeepsWhatItAcknowledged(t *testing.T) {
	cluster := NewCluster(t)
	db := open(t, cluster.DSN())
	if _, err := db.Exec("CREATE TABLE strokes (by text)"); err != nil {
		t.Fatal(err)
	}
	if n := count(t, db, "SELECT count(*) FROM pg_settings WHERE name = 'fsync' AND setting = 'on'"); n != 1 {
		t.Fatal("fsync is off")
	}
	for name, end := range map[string]func() error{"stop": cluster.Stop, "kill": cluster.Kill} {
		acknowledged := insertUntilCut(t, db, name, end)
		if err := db.Ping(); err == nil {
			t.Fatalf("%s: the server still answers", name)
		}
		if err := cluster.Start(); err != nil {
			t.Fatal(err)
		}
		n := count(t, db, "SELECT count(*) FROM strokes WHERE by = '"+name+"'")
		// The answer to one insert may have been lost with the connection.
		if n != acknowledged && n != acknowledged+1 {
			t.Fatalf("%s: acknowledged %d rows, found %d", name, acknowledged, n)
		}
	}
}

// insertUntilCut writes rows, ends the server under way, and returns how many were acknowledged.
func insertUntilCut(t *testing.T, db *sql.DB, name string, end func() error) (acknowledged int) {
	t.Helper()
	var ended sync.WaitGroup
	defer ended.Wait()
	for {
		if _, err := db.Exec("INSERT INTO strokes VALUES ($1)", name); err != nil {
			return acknowledged
		}
		if acknowledged++; acknowledged == 100 {
			ended.Go(func() {
				if err := end(); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

func TestClusterSettings(t *testing.T) {
	cluster := NewCluster(t, "max_connections=7")
	if n := count(t, open(t, cluster.DSN()), "SELECT setting::int FROM pg_settings WHERE name = 'max_connections'"); n != 7 {
		t.Fatalf("max_connections is %d", n)
	}
	if err := cluster.Start(); err == nil {
		t.Fatal("a second start of a running server passed")
	}
}

func TestBadSettingIsReportedWithTheLog(t *testing.T) {
	_, err := newCluster(onDisk, []string{"max_connections=many"}, (*Cluster).initialise)
	if err == nil || !strings.Contains(err.Error(), "max_connections") {
		t.Fatalf("want the server's own words, got %v", err)
	}
}

func TestRemoveLeavesNothing(t *testing.T) {
	cluster, err := newCluster(placeOfThrowaway(), throwaway, (*Cluster).initialise)
	if err != nil {
		t.Fatal(err)
	}
	pid := cluster.process.Pid
	if err := cluster.remove(); err != nil {
		t.Fatal(err)
	}
	if syscall.Kill(pid, 0) == nil {
		t.Error("the server is still there")
	}
	if _, err := os.Stat(cluster.dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("its directory is still there: %v", err)
	}
}

// TestChild is the binary that the tests below start again.
func TestChild(t *testing.T) {
	switch os.Getenv(childMode) {
	case "hang":
		cluster, err := newCluster(placeOfThrowaway(), throwaway, (*Cluster).initialise)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Println(cluster.process.Pid, cluster.dir, cluster.DSN())
		select {}
	case "use":
		if n := count(t, open(t, Database(t)), "SELECT count(*) FROM bells"); n != 0 {
			t.Fatal("not empty")
		}
	default:
		t.Log("nothing to do outside the tests that start it")
	}
}

func child(t *testing.T, mode string, env ...string) *exec.Cmd {
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestChild$")
	cmd.Env = append(append(os.Environ(), childMode+"="+mode), env...)
	return cmd
}

func TestServerDiesWithKilledTests(t *testing.T) {
	cmd := child(t, "hang", "TEST_DATABASE_URL=")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	var pid int
	var dir, dsn string
	if _, err := fmt.Sscan(line, &pid, &dir, &dsn); err != nil {
		t.Fatalf("%v in %q", err, line)
	}
	if err := open(t, dsn).Ping(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	tick, deadline := time.NewTicker(pingEvery), time.After(stopTimeout)
	defer tick.Stop()
	for alive(pid) {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("server %d outlived its tests", pid)
		}
	}
	checkSweep(t, dir)
}

// checkSweep proves that a later run deletes what the killed one left, and nothing in use.
func checkSweep(t *testing.T, dir string) {
	t.Helper()
	old := time.Now().Add(-2 * time.Minute)
	if err := os.Chtimes(dir, old, old); err != nil {
		t.Fatal(err)
	}
	held, err := lockDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	sweep()
	if _, err := os.Stat(filepath.Join(dir, "data")); err != nil {
		t.Fatalf("a directory in use was deleted: %v", err)
	}
	if err := held.Close(); err != nil {
		t.Fatal(err)
	}
	sweep()
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a dead server's directory was kept: %v", err)
	}
}

// alive is false also for one that has ended but was not yet waited for by its new parent.
func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.Contains(string(stat), ") Z ")
}

func TestGivenServerIsUsedAndLeftClean(t *testing.T) {
	cluster := NewCluster(t, "log_statement=ddl")
	if out, err := child(t, "use", "TEST_DATABASE_URL="+cluster.DSN()).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	db := open(t, cluster.DSN())
	if n := count(t, db, "SELECT count(*) FROM pg_database WHERE datname LIKE 'test%'"); n != 0 {
		t.Errorf("%d databases were left behind", n)
	}
	if log := cluster.logTail(); !strings.Contains(log, "CREATE DATABASE test_") {
		t.Errorf("the given server was not used; its log:\n%s", log)
	}
}

func TestGivenServerUnreachableFails(t *testing.T) {
	port, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	dsn := fmt.Sprintf("postgres://127.0.0.1:%d/postgres", port)
	if out, err := child(t, "use", "TEST_DATABASE_URL="+dsn).CombinedOutput(); err == nil || !strings.Contains(string(out), "connection refused") {
		t.Fatalf("want a failure that says why, got %v\n%s", err, out)
	}
}

// verdict records how skipOrFail ended a test.
type verdict struct {
	testing.TB
	word string
}

func (v *verdict) Helper()               {}
func (v *verdict) Skipf(string, ...any)  { v.word = "skip" }
func (v *verdict) Fatalf(string, ...any) { v.word = "fail" }

func TestSkipOnlyWhereNobodyCounts(t *testing.T) {
	broken := errors.New("broken")
	for _, c := range []struct {
		ci, require string
		err         error
		want        string
	}{
		{"", "", nil, ""},
		{"", "", errMissing, "skip"},
		{"true", "", errMissing, "fail"},
		{"", "1", errMissing, "fail"},
		{"", "", broken, "fail"},
	} {
		t.Setenv("CI", c.ci)
		t.Setenv("REQUIRE_PG", c.require)
		v := &verdict{}
		skipOrFail(v, c.err)
		if v.word != c.want {
			t.Errorf("CI=%q REQUIRE_PG=%q %v: %q, want %q", c.ci, c.require, c.err, v.word, c.want)
		}
	}
}
