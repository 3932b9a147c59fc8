package faults_test

import (
	"database/sql"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"belfry/bench/server"
	"belfry/internal/testpg"
)

// backup is a database that is saved while all runs, lost, and put back with the commands of docs/operate.md.
type backup struct {
	database string
	save     string                      // how the command begins that makes the copy
	copied   string                      // the file that it makes
	restore  string                      // how the command begins that puts it back
	paths    *strings.Replacer           // from where the page has things to where the test has them
	lose     func(t *testing.T)          // makes the place of the database free
	head     func(t *testing.T) position // where the log ends
}

// documented is the command of docs/operate.md that begins so.
func documented(t *testing.T, begin string) string {
	t.Helper()
	page, err := os.ReadFile("../../docs/operate.md")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(page)) {
		if command, _, _ := strings.Cut(strings.TrimSpace(line), "   #"); strings.HasPrefix(line, "    "+begin) {
			return command
		}
	}
	t.Fatalf("docs/operate.md has no command that begins with %q", begin)
	return ""
}

// execute runs a command of a page.
func (b backup) execute(t *testing.T, begin string) {
	t.Helper()
	command := b.paths.Replace(documented(t, begin))
	if out, err := exec.CommandContext(t.Context(), "bash", "-euc", command).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", command, err, out)
	}
}

// TestRestoreFromBackup loses the database under load. What was acknowledged after the copy was made is gone; all else is
// in the inboxes, and every stream is told to load them anew.
func TestRestoreFromBackup(t *testing.T) {
	t.Run("PostgreSQL", func(t *testing.T) { t.Parallel(); restoreFrom(t, onPostgres(t), 2) })
	t.Run("SQLite", func(t *testing.T) { t.Parallel(); restoreFrom(t, onSQLite(t), 1) })
}

func restoreFrom(t *testing.T, b backup, nodeCount int) {
	nodes, callers := make([]*server.Node, nodeCount), make([]*server.Caller, nodeCount)
	for i := range nodes {
		nodes[i] = server.New(t, b.database, strings.Fields(settings)...)
	}
	names, key := people(nodes[0])
	for i, node := range nodes {
		node.MustStart()
		callers[i] = node.ByKey(key)
	}
	l := newLoad(t, lowRate, names, callers...)
	l.read(nodes...)
	l.publish()
	l.awaitAcks(lowRate)
	b.execute(t, b.save)
	if info, err := os.Stat(b.copied); err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("other users of the machine can read the backup: %v, %v", info, err)
	}
	l.awaitAcks(lowRate / 2)
	for _, node := range nodes {
		node.Kill()
	}
	b.lose(t)
	b.execute(t, b.restore)
	old := b.head(t)
	l.mu.Lock()
	l.gone = func(s sent) bool { return s.at.epoch == old.epoch && s.at.offset > old.offset }
	l.mu.Unlock()
	if _, said, code := nodes[0].Run("", "epoch", "new"); code != 0 {
		t.Fatalf("belfry epoch new: exit %d, %s", code, said)
	}
	for _, node := range nodes {
		node.MustStart()
	}
	l.awaitAcks(lowRate / 2)
	balanced, wrong := l.close(func() {
		for _, name := range names {
			if err := l.lookInto(name, nodes[0].Login(t, name)); err != nil {
				t.Error(err)
			}
		}
	})
	for _, found := range wrong {
		t.Error(found)
	}
	if balanced.void == 0 {
		t.Error("nothing was newer than the backup: the run proves nothing")
	}
	for reader, book := range l.books {
		if len(book.resets) == 0 {
			t.Errorf("%s was not told", reader)
		}
	}
	t.Log(balanced)
}

// onPostgres takes the database away altogether, and makes an empty one.
func onPostgres(t *testing.T) backup {
	database := testpg.Database(t)
	kept := filepath.Join(t.TempDir(), "belfry.dump")
	where, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	name := strings.TrimPrefix(where.Path, "/")
	where.Path = "/postgres"
	return backup{
		database: database, save: "(umask 077 && su postgres -c 'pg_dump", copied: kept, restore: "su postgres -c 'pg_restore",
		paths: strings.NewReplacer("su postgres -c ", "sh -c ", "--role=belfry ", "", "no-owner belfry'", `no-owner "`+database+`"'`,
			"dbname=belfry'", `dbname="`+database+`"'`, "belfry.dump", kept),
		lose: func(t *testing.T) {
			db := openAt(t, where.String())
			for _, statement := range []string{"DROP DATABASE " + name + " WITH (FORCE)", "CREATE DATABASE " + name} {
				if _, err := db.ExecContext(t.Context(), statement); err != nil {
					t.Fatal(err)
				}
			}
		},
		head: func(t *testing.T) position { return headOf(t, openAt(t, database)) },
	}
}

func onSQLite(t *testing.T) backup {
	database := server.SQLite(t)
	file := strings.TrimPrefix(database, "sqlite:")
	dir, kept := filepath.Dir(file), filepath.Join(t.TempDir(), filepath.Base(file))
	paths := strings.NewReplacer("/var/backups/belfry.db", kept, "/var/lib/belfry", dir)
	return backup{
		database: database, save: "(umask 077 && sqlite3", copied: kept, restore: "cp /var/backups", paths: paths,
		lose: func(t *testing.T) { backup{paths: paths}.execute(t, "cd /var/lib/belfry") },
		head: func(t *testing.T) position {
			out, err := exec.CommandContext(t.Context(), "sqlite3", file, "SELECT epoch || '-' || head FROM log_head").Output()
			if err != nil {
				t.Fatal(err)
			}
			return positionOf(strings.TrimSpace(string(out)))
		},
	}
}

func openAt(t *testing.T, database string) *sql.DB {
	t.Helper()
	db, err := sql.Open("pgx", database)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}
