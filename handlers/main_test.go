package handlers_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"belfry/internal/testpg"
	"belfry/migrations"
	"belfry/services"
)

// emptySQLite is a migrated file that each test on SQLite begins with a copy of.
var emptySQLite []byte

// TestMain also makes sure that no request and no stream leaves a goroutine behind.
func TestMain(m *testing.M) {
	var err error
	if readers := os.Getenv(logReadersEnv); readers != "" {
		if err := readLogs(readers); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	if emptySQLite, err = migratedFile(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := testpg.Run(m, migrate)
	if err := goleak.Find(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	os.Exit(code)
}

func migrate(address string) error {
	ctx := context.Background()
	db, err := services.OpenDatabase(ctx, address)
	if err != nil {
		return err
	}
	defer db.Close()
	provider, err := migrations.Provider(db.Dialect, db.SQL())
	if err != nil {
		return err
	}
	_, err = provider.Up(ctx)
	return err
}

func migratedFile() ([]byte, error) {
	dir, err := os.MkdirTemp("", "belfry-handlers-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "empty.db")
	if err := migrate("sqlite:" + file); err != nil {
		return nil, err
	}
	return os.ReadFile(file)
}
