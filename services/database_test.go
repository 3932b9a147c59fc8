package services

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"belfry/internal/testpg"
	"belfry/models"
	"belfry/services/journal"
)

// TestSQLiteFileIsHeldByOne runs alone: a process that another test starts shares our files, the lock
// with them, for the moment between fork and exec.
func TestSQLiteFileIsHeldByOne(t *testing.T) {
	address := "sqlite:" + t.TempDir() + "/made/on the way/100%?#.db"
	db := got(OpenDatabase(t.Context(), address))(t)
	_, err := OpenDatabase(t.Context(), address)
	held, ok := errors.AsType[*HeldError](err)
	if !ok || held.PID != os.Getpid() || !strings.Contains(held.Error(), held.Path) {
		t.Errorf("the second got %v", err)
	}
	must(t, db.Close())
	again := got(OpenDatabase(t.Context(), address))(t)
	must(t, again.Close())
	if _, err := os.Stat(strings.TrimPrefix(address, "sqlite:")); err != nil {
		t.Errorf("the file is not where it should be: %v", err)
	}
}

func TestPostgresConnections(t *testing.T) {
	t.Parallel()
	address := testpg.Database(t)
	db, watcher := got(OpenDatabase(t.Context(), address))(t), got(OpenDatabase(t.Context(), address))(t)
	defer func() { must(t, watcher.Close()) }()
	var limits []string
	must(t, db.Read.Raw("SELECT setting FROM pg_settings WHERE name IN ('lock_timeout', 'statement_timeout', 'idle_in_transaction_session_timeout', 'jit') ORDER BY name").Scan(&limits).Error)
	if !slices.Equal(limits, []string{"5000", "off", "3000", "10000"}) {
		t.Errorf("%v", limits)
	}
	must(t, db.Close())
	if err := db.Ping(t.Context()); err == nil {
		t.Error("a closed database still answers")
	}
	must(t, watcher.Ping(t.Context()))
}

func TestValuesStayOutOfStatements(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		if text := n.db.Write.Dialector.Explain("SELECT ?", "hidden"); text != "SELECT ?" {
			t.Errorf("GORM would keep %q", text)
		}
	})
}

func TestAddressIsNotRepeated(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"postgres://user:hidden@[", "nonsense hidden"} {
		if _, err := OpenDatabase(t.Context(), address); err == nil || strings.Contains(err.Error(), "hidden") {
			t.Errorf("%v", err)
		}
	}
}

// TestCreateOnce repeats requests that create: they make one thing, whoever asks how often.
func TestCreateOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		once := func(key, digest string) Repeatable { return Repeatable{Principal: "key:1", Key: key, Digest: digest} }
		person := NewUser{Username: "ann", Password: password}
		ids, replays := make([]int64, 6), make([]bool, 6)
		atOnce(len(ids), func(i int) {
			user, replayed, err := n.users.AddOnce(t.Context(), person, once("u", "d"))
			if err != nil {
				t.Error(err)
				return
			}
			ids[i], replays[i] = user.ID, replayed
		})
		fresh := 0
		for i := range ids {
			if !replays[i] {
				fresh++
			}
			if ids[i] != ids[0] {
				t.Errorf("%v", ids)
			}
		}
		if fresh != 1 {
			t.Errorf("made %d times", fresh)
		}
		_, _, err := n.users.AddOnce(t.Context(), person, once("u", "other"))
		refused(t, "another request", err, models.CodeIdempotencyMismatch)
		_, _, err = n.users.AddOnce(t.Context(), person, once("v", "d"))
		refused(t, "a taken name", err, models.CodeConflict)
		person.Username = "bob"
		if _, replayed, err := n.users.AddOnce(t.Context(), person, once("v", "d2")); err != nil || replayed {
			t.Errorf("a refusal was kept: %v, %v", replayed, err)
		}
		group, _, err := n.groups.AddOnce(t.Context(), "team", "", once("g", "d"))
		must(t, err)
		if same, replayed, err := n.groups.AddOnce(t.Context(), "team", "", once("g", "d")); err != nil || !replayed || same.ID != group.ID {
			t.Errorf("%+v, %v, %v", same, replayed, err)
		}
		scopes := []models.Scope{models.ScopeNoticesWrite}
		key := got(n.keys.CreateOnce(t.Context(), n.tokens, KeySpec{Name: "k", Scopes: scopes}, once("k", "d")))(t)
		same := got(n.keys.CreateOnce(t.Context(), n.tokens, KeySpec{Name: "k", Scopes: scopes}, once("k", "d")))(t)
		if !same.Replayed || same.ID != key.ID || same.Secret != key.Secret {
			t.Errorf("%v, %d and %d", same.Replayed, key.ID, same.ID)
		}
		got(n.keys.Resolve(t.Context(), same.Secret))(t)
		must(t, n.users.Delete(t.Context(), "ann"))
		person.Username = "ann"
		_, _, err = n.users.AddOnce(t.Context(), person, once("u", "d"))
		refused(t, "what was made is gone", err, models.CodeConflict)
	})
}

// TestKeyMadeLongAgo: the request that made a key is forgotten, and would make the same secret once more.
func TestKeyMadeLongAgo(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node) {
		spec := KeySpec{Name: "k", Scopes: []models.Scope{models.ScopeNoticesWrite}}
		once := Repeatable{Principal: "user:1", Key: "k", Digest: "d"}
		made := got(n.keys.CreateOnce(t.Context(), n.tokens, spec, once))(t)
		n.run(t, "UPDATE idempotency_keys SET created_at = created_at - ?", journal.OnceWindow.Milliseconds())
		_, err := n.keys.CreateOnce(t.Context(), n.tokens, spec, once)
		refused(t, "after a day", err, models.CodeConflict)
		must(t, n.keys.Revoke(t.Context(), made.ID))
		_, err = n.keys.CreateOnce(t.Context(), n.tokens, spec, once)
		refused(t, "after it was revoked", err, models.CodeConflict)
	})
}
