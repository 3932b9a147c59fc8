package cli

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"belfry/config"
	"belfry/models"
	"belfry/services"
	"belfry/services/journal"
)

// inside gives a test the services on the shell's migrated database.
func (s shell) inside(work func(*services.Database, *journal.Journal)) {
	s.t.Helper()
	settings, err := config.Load(nil, s.environ)
	if err != nil {
		s.t.Fatal(err)
	}
	err = withJournal(s.t.Context(), settings, func(db *services.Database, j *journal.Journal) error {
		work(db, j)
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

func TestFirstAdmin(t *testing.T) {
	onEach(t, func(t *testing.T, s shell) {
		s.inside(func(db *services.Database, j *journal.Journal) {
			users := services.NewUsers(db, j, services.NewHasher())
			try := func(flags map[string]string) (string, error) {
				t.Helper()
				settings, err := config.Load(flags, s.environ)
				if err != nil {
					t.Fatal(err)
				}
				var said bytes.Buffer
				err = firstAdmin(t.Context(), settings, users, slog.New(slog.NewTextHandler(&said, nil)))
				return said.String(), err
			}
			if said, err := try(nil); err != nil || !strings.Contains(said, "belfry user add NAME --admin") {
				t.Errorf("nobody is told what to do: %q, %v", said, err)
			}
			_, err := try(map[string]string{"ADMIN_USER": "root", "ADMIN_PASSWORD": "short"})
			if _, ok := errors.AsType[usageError](err); !ok || !strings.Contains(err.Error(), "password: ") || strings.Contains(err.Error(), "short") {
				t.Errorf("a password that is too short: %v", err)
			}
			if n, _ := users.Count(t.Context()); n != 0 {
				t.Fatalf("%d users", n)
			}

			said, err := try(map[string]string{"ADMIN_USER": "root", "ADMIN_PASSWORD": "correct horse"})
			if err != nil || strings.Contains(said, "horse") {
				t.Errorf("%q, %v", said, err)
			}
			root, err := users.Find(t.Context(), "root")
			if err != nil || root.Role != models.RoleAdmin {
				t.Fatalf("%+v, %v", root, err)
			}

			if _, err := try(map[string]string{"ADMIN_USER": "second", "ADMIN_PASSWORD": "short"}); err != nil {
				t.Errorf("with users there the settings are not looked at: %v", err)
			}
			if n, _ := users.Count(t.Context()); n != 1 {
				t.Errorf("%d users", n)
			}
		})
	})
}

func TestDemoIsForThisMachineAlone(t *testing.T) {
	for listen, allowed := range map[string]bool{
		"127.0.0.1:8080": true, "localhost:0": true, "[::1]:8080": true, "127.9.9.9:1": true, "[::ffff:127.0.0.1]:1": true,
		":8080": false, "0.0.0.0:8080": false, "[::]:8080": false, "192.0.2.1:8080": false, "localhost.example:1": false,
	} {
		err := demoAllowed(&config.Settings{Listen: listen})
		if _, ok := errors.AsType[usageError](err); ok == allowed || (err == nil) != allowed {
			t.Errorf("%s: %v", listen, err)
		}
	}
}

func TestDemoData(t *testing.T) {
	onEach(t, func(t *testing.T, s shell) {
		s.inside(func(db *services.Database, j *journal.Journal) {
			users, groups, notices := services.NewUsers(db, j, services.NewHasher()), services.NewGroups(db, j), services.NewNotices(db, j)
			seen := map[string]bool{}
			for start := range 2 {
				var out bytes.Buffer
				if err := demoData(t.Context(), users, groups, notices, &out); err != nil {
					t.Fatal(err)
				}
				same(t, columns(out.String(), 0, 2), "NAME ROLE", "admin admin", "anna user", "bob user")
				for _, line := range columns(out.String(), 0, 1)[1:] {
					if len(line[1]) != 12 || seen[line[1]] {
						t.Errorf("start %d: password %q", start, line[1])
					}
					seen[line[1]] = true
					person, err := users.Find(t.Context(), line[0])
					if err != nil {
						t.Fatal(err)
					}
					if ok, err := services.NewHasher().Verify(t.Context(), line[1], person.PasswordHash); !ok || err != nil {
						t.Errorf("start %d: %s cannot sign in as printed: %v", start, line[0], err)
					}
				}
				for name, want := range map[string]int{"admin": 2, "anna": 2, "bob": 2} {
					person, err := users.Find(t.Context(), name)
					if err != nil {
						t.Fatal(err)
					}
					page, err := notices.List(t.Context(), person, services.Listing{State: "inbox", Limit: 50})
					if err != nil || len(page.Items) != want {
						t.Errorf("start %d: %s has %d notices, want %d: %v", start, name, len(page.Items), want, err)
					}
				}
			}
			// Whoever plays with the demo may add to it.
			if _, err := users.Add(t.Context(), services.NewUser{Username: "carl", Password: "long enough"}); err != nil {
				t.Fatal(err)
			}
			if err := groups.Join(t.Context(), demoGroup, "carl"); err != nil {
				t.Fatal(err)
			}
			if err := demoData(t.Context(), users, groups, notices, &bytes.Buffer{}); err != nil {
				t.Error(err)
			}
		})
	})
}

// TestDemoSparesARealDatabase is about the one mistake that would hurt: --demo with the DATABASE_URL of
// a real Belfry, which has an admin too.
func TestDemoSparesARealDatabase(t *testing.T) {
	s := sqliteShell(t)
	for _, name := range []string{"admin", "anna", "bob"} {
		s.ok("correct horse", "user", "add", name, "--password-stdin")
	}
	s.inside(func(db *services.Database, j *journal.Journal) {
		var out bytes.Buffer
		err := demoData(t.Context(), services.NewUsers(db, j, services.NewHasher()), services.NewGroups(db, j), services.NewNotices(db, j), &out)
		if err == nil || out.Len() != 0 {
			t.Errorf("%v, printed %q", err, out.String())
		}
	})
	passwordIs(t, s, "admin", "correct horse")
}
