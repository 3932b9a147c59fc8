package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"belfry/client"
	"belfry/internal/testpg"
	"belfry/services"
	"belfry/services/announce"
	"belfry/services/journal"
)

// TestMain also makes sure that no command leaves a goroutine or a connection behind.
func TestMain(m *testing.M) {
	becomeBelfry()
	code := testpg.Run(m, nil)
	if err := goleak.Find(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// shell runs commands with an environment of its own.
type shell struct {
	t       *testing.T
	environ []string
}

type result struct {
	code     int
	out, err string
}

// run gives a command the text as its standard input.
func (s shell) run(stdin string, args ...string) result {
	s.t.Helper()
	var out, err bytes.Buffer
	code := Run(s.t.Context(), "", args, s.environ, strings.NewReader(stdin), &out, &err)
	return result{code, out.String(), err.String()}
}

// ok runs a command that has to succeed and to keep standard error empty, and gives its output.
func (s shell) ok(stdin string, args ...string) string {
	s.t.Helper()
	r := s.run(stdin, args...)
	if r.code != exitDone || r.err != "" {
		s.t.Fatalf("%q: exit %d\n%s%s", args, r.code, r.out, r.err)
	}
	return r.out
}

// refused runs a command that has to fail with this code, one line on standard error and nothing else.
func (s shell) refused(code int, want, stdin string, args ...string) {
	s.t.Helper()
	r := s.run(stdin, args...)
	if r.code != code || r.out != "" || !strings.HasPrefix(r.err, "belfry: ") || strings.Count(r.err, "\n") != 1 || !strings.Contains(r.err, want) {
		s.t.Errorf("%q: exit %d, want %d and %q\n%s%s", args, r.code, code, want, r.out, r.err)
	}
}

// sqliteShell has an empty database in a folder that does not exist yet.
func sqliteShell(t *testing.T) shell {
	return shell{t, []string{"BELFRY_DATABASE_URL=sqlite:" + filepath.Join(t.TempDir(), "data", "belfry.db")}}
}

// onEach runs a test on both databases.
func onEach(t *testing.T, test func(*testing.T, shell)) {
	t.Run("sqlite", func(t *testing.T) { test(t, sqliteShell(t)) })
	t.Run("postgres", func(t *testing.T) { test(t, shell{t, []string{"BELFRY_DATABASE_URL=" + testpg.Database(t)}}) })
}

func (s shell) databaseURL() string { return strings.TrimPrefix(s.environ[0], "BELFRY_DATABASE_URL=") }

// open opens the shell's database beside it, for a look or to hold the file.
func (s shell) open() *services.Database {
	s.t.Helper()
	db, err := services.OpenDatabase(s.t.Context(), s.databaseURL())
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = db.Close() })
	return db
}

// columns gives the words of each line of a table, without what changes from day to day.
func columns(table string, keep ...int) [][]string {
	var lines [][]string
	for line := range strings.Lines(table) {
		words := strings.Fields(line)
		var kept []string
		for _, k := range keep {
			kept = append(kept, words[k])
		}
		lines = append(lines, kept)
	}
	return lines
}

func same(t *testing.T, got [][]string, want ...string) {
	t.Helper()
	var lines []string
	for _, l := range got {
		lines = append(lines, strings.Join(l, " "))
	}
	if strings.Join(lines, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
	}
}

func TestUsage(t *testing.T) {
	s := sqliteShell(t)
	for _, tt := range []struct {
		want string
		args []string
	}{
		{"expected one of", nil},
		{"unexpected argument", []string{"ring"}},
		{"unknown flag", []string{"user", "list", "--all"}},
		{"<name>", []string{"user", "add"}},
		{"missing flags: --scope", []string{"key", "create", "ci"}},
		{"--scope: expected of notices:write", []string{"key", "create", "ci", "--scope", "notices:write,all"}},
		{"--expires", []string{"key", "create", "ci", "--scope", "notices:write", "--expires", "soon"}},
		{"--expires", []string{"key", "create", "ci", "--scope", "notices:write", "--expires", "0d"}},
		{"--expires", []string{"key", "create", "ci", "--scope", "notices:write", "--expires", "-1h"}},
		{"--expires", []string{"key", "create", "ci", "--scope", "notices:write", "--expires", "99999d"}},
		{"id", []string{"key", "revoke", "first"}},
		{"<name>", []string{"group", "join", "ops"}},
		{"--password-stdin", []string{"user", "add", "anna"}},
		{"UTF-8", []string{"user", "add", "anna", "--display-name", "\xff"}},
		{"unexpected argument", []string{"migrate", "down"}},
	} {
		s.refused(exitUsage, tt.want, "", tt.args...)
	}
	s.refused(exitUsage, "UTF-8", "\xff\xfe long enough", "user", "add", "anna", "--password-stdin")
	s.refused(exitUsage, "UTF-8", "with a \x00 in it", "user", "add", "anna", "--password-stdin")
	s.refused(exitUsage, "too long", strings.Repeat("x", maxPasswordInput+1), "user", "add", "anna", "--password-stdin")
	if _, err := os.Stat(filepath.Dir(strings.TrimPrefix(s.databaseURL(), "sqlite:"))); !os.IsNotExist(err) {
		t.Error("a command that was called wrongly has made the database")
	}
}

func TestBadSettingsAreAllTold(t *testing.T) {
	s := shell{t, []string{"BELFRY_SESSION_IDLE=1ms", "BELFRY_SECRET=hunter2", "BELFRY_SESION_MAX=1h"}}
	r := s.run("", "user", "list", "--heartbeat", "never")
	for _, want := range []string{"BELFRY_SESSION_IDLE", "BELFRY_SECRET", "BELFRY_SESION_MAX", "--heartbeat"} {
		if !strings.Contains(r.err, want) {
			t.Errorf("%s is missing in\n%s", want, r.err)
		}
	}
	if r.code != exitUsage || r.out != "" || strings.Contains(r.err, "hunter2") {
		t.Errorf("exit %d\n%s%s", r.code, r.out, r.err)
	}
	if out := s.ok("", "version"); !strings.HasPrefix(out, "belfry ") {
		t.Errorf("the version depends on the settings: %s", out)
	}
	var built map[string]any
	if out := s.ok("", "version", "--json"); json.Unmarshal([]byte(out), &built) != nil || built["version"] == "" || built["go"] != runtime.Version() || built["modified"] == nil || built["commit"] == "" {
		t.Errorf("%s", out)
	}
}

func TestUnusableCertificateIsASetting(t *testing.T) {
	none := filepath.Join(t.TempDir(), "none.pem")
	sqliteShell(t).refused(exitUsage, "BELFRY_TLS_CERT", "", "serve", "--listen", "127.0.0.1:0", "--tls-cert", none, "--tls-key", none)
}

func TestHelp(t *testing.T) {
	s := sqliteShell(t)
	for _, args := range [][]string{{"--help"}, {"user", "--help"}, {"user", "add", "--help"}} {
		if out := s.ok("", args...); !strings.Contains(out, "Usage: belfry") || strings.Contains(out, "--session-idle") {
			t.Errorf("%q:\n%s", args, out)
		}
	}
	if out := s.ok("", "key", "create", "--help"); !strings.Contains(out, "tickets:write") {
		t.Errorf("the scopes are not told:\n%s", out)
	}
}

func TestUsers(t *testing.T) {
	onEach(t, func(t *testing.T, s shell) {
		if out := s.ok("correct horse\n", "user", "add", "root", "--admin", "--password-stdin"); out != "added admin root\n" {
			t.Errorf("%q", out)
		}
		s.ok("battery staple", "user", "add", "anna", "--display-name", "Anna Blume", "--password-stdin")
		same(t, columns(s.ok("", "user", "list"), 0, 1, 2, 4),
			"NAME ROLE STATE DISPLAYED", "anna user enabled Anna", "root admin enabled root")
		if out := s.ok("", "user", "disable", "ANNA"); out != "disabled anna\n" {
			t.Errorf("%q", out)
		}
		same(t, columns(s.ok("", "user", "list"), 0, 2), "NAME STATE", "anna disabled", "root enabled")
		s.ok("", "user", "enable", "anna")
		same(t, columns(s.ok("", "user", "list"), 0, 2), "NAME STATE", "anna enabled", "root enabled")

		s.ok("  spaces count \n\n", "user", "passwd", "anna", "--password-stdin")
		passwordIs(t, s, "anna", "  spaces count \n")
		passwordIs(t, s, "root", "correct horse")

		if out := s.ok("", "user", "rename", "Anna", "anja"); out != "renamed Anna to anja\n" {
			t.Errorf("%q", out)
		}
		passwordIs(t, s, "anja", "  spaces count \n")
		s.refused(exitFailed, "exists already", "", "user", "rename", "anja", "root")
		if out := s.ok("", "user", "remove", "anja"); out != "removed anja\n" {
			t.Errorf("%q", out)
		}
		same(t, columns(s.ok("", "user", "list"), 0), "NAME", "root")
		s.refused(exitFailed, `there is no user "anja"`, "", "user", "remove", "anja")

		s.refused(exitFailed, "exists already", "correct horse", "user", "add", "Root", "--password-stdin")
		s.refused(exitFailed, "username: 1 to 64", "short", "user", "add", "no spaces", "--password-stdin")
		s.refused(exitFailed, "password: ", "short", "user", "add", "carl", "--password-stdin")
		s.refused(exitFailed, `there is no user "carl"`, "", "user", "disable", "carl")
		s.refused(exitFailed, `there is no user "carl"`, "long enough", "user", "passwd", "carl", "--password-stdin")
	})
}

func passwordIs(t *testing.T, s shell, name, password string) {
	t.Helper()
	db := s.open()
	defer db.Close()
	var hash string
	if err := db.Read.Raw("SELECT password_hash FROM users WHERE username = ?", name).Scan(&hash).Error; err != nil {
		t.Fatal(err)
	}
	if ok, err := services.NewHasher(services.DefaultHashCost).Verify(t.Context(), password, hash); !ok || err != nil {
		t.Errorf("the password of %s is not %q: %v", name, password, err)
	}
}

func TestGroups(t *testing.T) {
	onEach(t, func(t *testing.T, s shell) {
		for _, name := range []string{"anna", "bob"} {
			s.ok("long enough", "user", "add", name, "--password-stdin")
		}
		s.ok("", "group", "add", "ops", "--display-name", "Night\x1b[2J")
		s.ok("", "group", "add", "empty")
		s.ok("", "group", "join", "ops", "bob", "anna")
		s.ok("", "group", "join", "OPS", "bob")
		same(t, columns(s.ok("", "group", "list"), 0, 3, 4), "NAME MEMBERS DISPLAYED", "empty - empty", "ops anna,bob Night\uFFFD[2J")
		s.ok("", "group", "leave", "ops", "bob")
		same(t, columns(s.ok("", "group", "list"), 0, 3), "NAME MEMBERS", "empty -", "ops anna")
		if out := s.ok("", "group", "rename", "OPS", "watch", "--display-name", "Watch"); out != "renamed OPS to watch\n" {
			t.Errorf("%q", out)
		}
		s.ok("", "group", "disable", "watch")
		same(t, columns(s.ok("", "group", "list"), 0, 1, 3, 4), "NAME STATE MEMBERS DISPLAYED", "empty enabled - empty", "watch disabled anna Watch")
		s.ok("", "group", "enable", "watch")
		same(t, columns(s.ok("", "group", "list"), 0, 1), "NAME STATE", "empty enabled", "watch enabled")
		s.refused(exitFailed, "exists already", "", "group", "rename", "watch", "Empty")
		s.refused(exitFailed, `there is no group "ops"`, "", "group", "rename", "ops", "x")
		s.ok("", "group", "remove", "watch")
		same(t, columns(s.ok("", "group", "list"), 0), "NAME", "empty")

		s.refused(exitFailed, "exists already", "", "group", "add", "Empty")
		s.refused(exitFailed, `"ops"`, "", "group", "join", "ops", "anna")
		s.refused(exitFailed, "carl", "", "group", "join", "empty", "anna", "carl")
		same(t, columns(s.ok("", "group", "list"), 0, 3), "NAME MEMBERS", "empty -")
		s.refused(exitFailed, `there is no group "ops"`, "", "group", "remove", "ops")
	})
}

func TestKeys(t *testing.T) {
	onEach(t, func(t *testing.T, s shell) {
		first := s.ok("", "key", "create", "ci", "--scope", "notices:write,users:write")
		second := s.ok("", "key", "create", "old", "--scope", "tickets:write", "--scope", "tasks:write", "--expires", "30d")
		for _, key := range []string{first, second} {
			if !strings.HasPrefix(key, "bfk_") || !strings.HasSuffix(key, "\n") || len(strings.Fields(key)) != 1 || len(key) < 40 {
				t.Errorf("the output is not a key alone: %q", key)
			}
		}
		list := s.ok("", "key", "list")
		same(t, columns(list, 0, 1, 2), "ID NAME SCOPES", "1 ci notices:write,users:write", "2 old tickets:write,tasks:write")
		if strings.Contains(list, strings.TrimSpace(first)) || columns(list, 4)[1][0] != "-" || columns(list, 4)[2][0] == "-" {
			t.Errorf("a key is shown again, or an expiry is wrong:\n%s", list)
		}

		// The printed text is the key, and a revoked one is worthless.
		usable := func() error {
			db := s.open()
			defer db.Close()
			j, err := journal.Open(t.Context(), db.Read, db.Write, announce.NewLocal(), slog.New(slog.DiscardHandler))
			if err != nil {
				return err
			}
			defer j.Close()
			_, err = services.NewKeys(db, j, services.NewVault(nil)).Resolve(t.Context(), strings.TrimSpace(first))
			return err
		}
		if err := usable(); err != nil {
			t.Error(err)
		}
		s.ok("", "key", "revoke", "1")
		if usable() == nil {
			t.Error("a revoked key works")
		}
		s.refused(exitFailed, "there is no key 1", "", "key", "revoke", "1")
		same(t, columns(s.ok("", "key", "list"), 0), "ID", "2")

		// All that was said of it holds: who asked for a limit would not look whether there is one.
		s.ok("battery staple", "user", "add", "anna", "--password-stdin")
		s.ok("", "group", "add", "ops")
		s.ok("", "key", "create", "alerts", "--scope", "notices:write", "--rate", "60/m", "--category", "disks", "--to", "anna", "--group", "ops")
		var keys []client.Key
		if err := json.Unmarshal([]byte(s.ok("", "key", "list", "--json")), &keys); err != nil || len(keys) != 2 {
			t.Fatalf("%v: %+v", err, keys)
		}
		if k := keys[1]; k.Rate != "60/m" || k.Category != "disks" || !slices.Equal(k.To.Users, []string{"anna"}) || !slices.Equal(k.To.Groups, []string{"ops"}) || k.To.Everyone {
			t.Errorf("%+v", k)
		}
	})
}

func TestFullOutputIsAFailure(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("no /dev/full here")
	}
	defer full.Close()
	s := sqliteShell(t)
	for _, args := range [][]string{{"key", "create", "ci", "--scope", "notices:write"}, {"key", "list"}, {"group", "add", "ops"}, {"version"}} {
		var stderr bytes.Buffer
		if code := Run(context.Background(), "", args, s.environ, strings.NewReader(""), full, &stderr); code != exitFailed {
			t.Errorf("%q into a full disk: exit %d", args, code)
		}
	}
}

func TestFlagsOfSettings(t *testing.T) {
	s := shell{t, []string{"BELFRY_DATABASE_URL=postgres://nobody@127.0.0.1:1/none"}}
	file := "sqlite:" + filepath.Join(t.TempDir(), "one.db")
	s.ok("", "--database-url", file, "group", "add", "ops")
	same(t, columns(s.ok("", "group", "list", "--database-url="+file), 0), "NAME", "ops")
	s.refused(exitFailed, "PostgreSQL does not answer", "", "group", "list")
}

// TestEpochOfNothing: whoever restored a backup elsewhere is told that this is not it; whoever did not has been told enough.
func TestEpochOfNothing(t *testing.T) {
	s := sqliteShell(t)
	if r := s.run("", "epoch", "new"); r.code != exitDone || !strings.Contains(r.err, s.databaseURL()+" is new") || strings.Count(r.err, "\n") != 1 {
		t.Errorf("%+v", r)
	}
	s.ok("", "epoch", "new")
}

func TestEpoch(t *testing.T) {
	onEach(t, func(t *testing.T, s shell) {
		epoch := func() (e string) {
			db := s.open()
			defer db.Close()
			if err := db.Read.Raw("SELECT epoch FROM log_head").Scan(&e).Error; err != nil {
				t.Fatal(err)
			}
			return e
		}
		s.ok("", "migrate")
		before := epoch()
		s.ok("", "epoch", "new")
		if after := epoch(); after == before || after == "" {
			t.Errorf("the epoch was %q and is %q", before, after)
		}
	})
}

func TestDescribeBuild(t *testing.T) {
	info := &debug.BuildInfo{GoVersion: "go1.26", Main: debug.Module{Version: "v1.2.3"}, Settings: []debug.BuildSetting{
		{Key: "GOOS", Value: "linux"}, {Key: "vcs.revision", Value: "abc123"}, {Key: "vcs.modified", Value: "true"},
	}}
	if got := describeBuild(info).String(); got != "v1.2.3, commit abc123, modified, go1.26" {
		t.Error(got)
	}
	if got := describeBuild(&debug.BuildInfo{GoVersion: "go1.26", Main: debug.Module{Version: "(devel)"}}).String(); got != "(devel), commit unknown, go1.26" {
		t.Error(got)
	}
}

var _ registry = (*client.Client)(nil)
