package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"belfry/internal/testpg"
)

func TestMigrate(t *testing.T) {
	onEach(t, func(t *testing.T, s shell) {
		look := func() string { return s.ok("", "migrate", "status") }
		if out := look(); strings.Contains(out, "applied") {
			t.Errorf("an empty database has\n%s", out)
		}
		if out := look(); strings.Contains(out, "applied") {
			t.Errorf("looking has changed something:\n%s", out)
		}
		if out := s.ok("", "migrate"); !strings.HasPrefix(out, "applied 00001_") {
			t.Errorf("%s", out)
		}
		if out := s.ok("", "migrate", "up"); out != "the schema is up to date\n" {
			t.Errorf("%s", out)
		}
		if out := look(); strings.Contains(out, "pending") || !strings.Contains(out, "applied") {
			t.Errorf("after all:\n%s", out)
		}
	})
}

func TestMigrateAsJSON(t *testing.T) {
	s := sqliteShell(t)
	read := func(args ...string) (rows []map[string]any) {
		t.Helper()
		out := s.ok("", append(args, "--json")...)
		if err := json.Unmarshal([]byte(out), &rows); err != nil || rows == nil {
			t.Fatalf("%q: %v in %s", args, err, out)
		}
		return rows
	}
	if rows := read("migrate", "status"); len(rows) != 0 {
		t.Errorf("without a database: %v", rows)
	}
	applied := read("migrate")
	if len(applied) == 0 || applied[0]["version"] != 1.0 || applied[0]["migration"] != "00001_init.sql" || applied[0]["duration_ms"] == nil {
		t.Errorf("applied %v", applied)
	}
	if rows := read("migrate", "up"); len(rows) != 0 {
		t.Errorf("applied twice: %v", rows)
	}
	if rows := read("migrate", "status"); len(rows) != len(applied) || rows[0]["migration"] != "00001_init.sql" || rows[0]["state"] != "applied" {
		t.Errorf("status %v", rows)
	}
}

func TestStatusLeavesNoTrace(t *testing.T) {
	s := sqliteShell(t)
	s.ok("", "migrate", "status")
	if _, err := os.Stat(filepath.Dir(strings.TrimPrefix(s.databaseURL(), "sqlite:"))); !os.IsNotExist(err) {
		t.Error("status has made a folder")
	}

	// An empty database that is there has no tables after a look either.
	db := s.open()
	_ = db.Close()
	if out := s.ok("", "migrate", "status"); !strings.Contains(out, "pending") {
		t.Errorf("%s", out)
	}
	db = s.open()
	var tables int
	if err := db.Read.Raw("SELECT count(*) FROM sqlite_master").Scan(&tables).Error; err != nil || tables != 0 {
		t.Errorf("%d tables, %v", tables, err)
	}
}

// TestNodesMigrateTogether starts commands at once on an empty PostgreSQL: one migrates, none fails.
func TestNodesMigrateTogether(t *testing.T) {
	s := shell{t, []string{"BELFRY_DATABASE_URL=" + testpg.Database(t)}}
	var wg sync.WaitGroup
	outs := make(chan result, 3)
	for range cap(outs) {
		wg.Go(func() { outs <- s.run("", "migrate") })
	}
	wg.Wait()
	applied := 0
	for range cap(outs) {
		r := <-outs
		if r.code != exitDone {
			t.Errorf("exit %d\n%s", r.code, r.err)
		}
		applied += strings.Count(r.out, "applied 00001_")
	}
	if applied != 1 {
		t.Errorf("applied %d times", applied)
	}
}
