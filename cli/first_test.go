package cli

import (
	"bytes"
	"errors"
	"log/slog"
	"regexp"
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
			users := services.NewUsers(db, j, services.NewHasher(services.DefaultHashCost))
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

func demoOf(db *services.Database, j *journal.Journal) demo {
	return demo{services.NewUsers(db, j, services.NewHasher(services.DefaultHashCost)), services.NewGroups(db, j), services.NewKeys(db, j, services.NewVault(nil)), services.NewNotices(db, j), "http://localhost:8080"}
}

// printed takes apart what a demonstration says: its people with their passwords, and the key.
func printed(t *testing.T, out string) (people [][]string, key string) {
	t.Helper()
	table, rest, found := strings.Cut(out, "\n\n")
	line := regexp.MustCompile(`(?m)^ +export BELFRY_URL=http://localhost:8080 BELFRY_KEY=(bfk_\S+)$`).FindStringSubmatch(rest)
	if !found || line == nil || !strings.Contains(rest, "Sign in at http://localhost:8080.") {
		t.Fatalf("printed\n%s", out)
	}
	same(t, columns(table, 0, 2), "NAME ROLE", "admin admin", "anna user", "bob user")
	return columns(table, 0, 1)[1:], line[1]
}

func TestDemoData(t *testing.T) {
	onEach(t, func(t *testing.T, s shell) {
		s.inside(func(db *services.Database, j *journal.Journal) {
			d := demoOf(db, j)
			users, notices := d.users, d.notices
			seen := map[string]bool{}
			var keys []string
			for start := range 2 {
				var out bytes.Buffer
				if err := d.begin(t.Context(), &out); err != nil {
					t.Fatal(err)
				}
				people, key := printed(t, out.String())
				keys = append(keys, key)
				if k, err := d.keys.Resolve(t.Context(), key); err != nil || len(strings.Fields(k.ScopeList)) != len(models.Scopes) {
					t.Errorf("start %d: the key is %+v: %v", start, k, err)
				}
				for _, line := range people {
					if len(line[1]) != 12 || seen[line[1]] {
						t.Errorf("start %d: password %q", start, line[1])
					}
					seen[line[1]] = true
					person, err := users.Find(t.Context(), line[0])
					if err != nil {
						t.Fatal(err)
					}
					if ok, err := services.NewHasher(services.DefaultHashCost).Verify(t.Context(), line[1], person.PasswordHash); !ok || err != nil {
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
			if _, err := d.keys.Resolve(t.Context(), keys[0]); err == nil {
				t.Error("the key of an earlier start is good yet")
			}
		})
	})
}

// TestDemoMayBeAddedTo: whoever plays with the demo may make people and keys of their own, and begin it again.
func TestDemoMayBeAddedTo(t *testing.T) {
	onEach(t, func(t *testing.T, s shell) {
		s.inside(func(db *services.Database, j *journal.Journal) {
			d := demoOf(db, j)
			if err := d.begin(t.Context(), &bytes.Buffer{}); err != nil {
				t.Fatal(err)
			}
			if _, err := d.users.Add(t.Context(), services.NewUser{Username: "carl", Password: "long enough"}); err != nil {
				t.Fatal(err)
			}
			if err := d.groups.Join(t.Context(), demoGroup, "carl"); err != nil {
				t.Fatal(err)
			}
			if _, _, err := d.keys.Create(t.Context(), services.KeySpec{Name: "mine", Scopes: models.Scopes}); err != nil {
				t.Fatal(err)
			}
			if err := d.begin(t.Context(), &bytes.Buffer{}); err != nil {
				t.Error(err)
			}
			var names []string
			left, err := d.keys.List(t.Context())
			for _, k := range left {
				names = append(names, k.Name)
			}
			if strings.Join(names, " ") != "mine demo" || err != nil {
				t.Errorf("the keys are now %q: %v", names, err)
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
		err := demoOf(db, j).begin(t.Context(), &out)
		if err == nil || out.Len() != 0 {
			t.Errorf("%v, printed %q", err, out.String())
		}
	})
	passwordIs(t, s, "admin", "correct horse")
}
