package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/pressly/goose/v3"
	goosedb "github.com/pressly/goose/v3/database"

	"belfry/config"
	"belfry/migrations"
	"belfry/services"
)

type migrateCmd struct {
	Up     migrateUpCmd     `cmd:"" default:"1" help:"Bring the database to the newest schema (the default)."`
	Status migrateStatusCmd `cmd:"" help:"Show which migrations are in place, and change nothing."`
}

type migrateUpCmd struct{}

func (migrateUpCmd) Run(ctx context.Context, s *config.Settings, term *console) error {
	return withDatabase(ctx, s, func(db *services.Database) error {
		applied, err := migrate(ctx, db)
		if err != nil {
			return err
		}
		for _, m := range applied {
			if err := term.say("applied %s in %s", path.Base(m.Source.Path), m.Duration.Round(time.Millisecond)); err != nil {
				return err
			}
		}
		if len(applied) == 0 {
			return term.say("the schema is up to date")
		}
		return nil
	})
}

// migrate brings the schema up to date, under a lock that PostgreSQL gives to one session and SQLite
// needs none for: the file is ours.
func migrate(ctx context.Context, db *services.Database) ([]*goose.MigrationResult, error) {
	provider, err := migrations.Provider(db.Dialect, db.SQL())
	if err != nil {
		return nil, err
	}
	applied, err := provider.Up(ctx)
	if err != nil {
		return nil, fmt.Errorf("the database cannot be brought to the newest schema: %w", err)
	}
	return applied, nil
}

type migrateStatusCmd struct{}

// Run looks without goose's own status, which makes the table of versions where there is none.
func (migrateStatusCmd) Run(ctx context.Context, s *config.Settings, term *console) error {
	if file, ok := strings.CutPrefix(s.DatabaseURL, "sqlite:"); ok {
		if _, err := os.Stat(strings.TrimPrefix(file, "//")); errors.Is(err, fs.ErrNotExist) {
			return term.say("there is no database yet; migrate makes it")
		}
	}
	return withDatabase(ctx, s, func(db *services.Database) error {
		provider, err := migrations.Provider(db.Dialect, db.SQL())
		if err != nil {
			return err
		}
		applied, err := appliedVersions(ctx, db)
		if err != nil {
			return err
		}
		var rows [][]string
		for _, source := range provider.ListSources() {
			state := "pending"
			if applied[source.Version] {
				state = "applied"
			}
			rows = append(rows, []string{strconv.FormatInt(source.Version, 10), path.Base(source.Path), state})
		}
		return term.table("VERSION MIGRATION STATE", rows)
	})
}

// appliedVersions reads goose's table of versions, if there is one.
func appliedVersions(ctx context.Context, db *services.Database) (map[int64]bool, error) {
	dialect, there := goosedb.DialectSQLite3, "SELECT count(*) > 0 FROM sqlite_master WHERE name = '"+goose.DefaultTablename+"'"
	if db.Dialect == services.Postgres {
		dialect, there = goosedb.DialectPostgres, "SELECT to_regclass('"+goose.DefaultTablename+"') IS NOT NULL"
	}
	var exists bool
	if err := db.SQL().QueryRowContext(ctx, there).Scan(&exists); err != nil || !exists {
		return nil, err
	}
	store, err := goosedb.NewStore(dialect, goose.DefaultTablename)
	if err != nil {
		return nil, err
	}
	list, err := store.ListMigrations(ctx, db.SQL())
	if err != nil {
		return nil, err
	}
	applied := map[int64]bool{}
	for _, m := range list {
		applied[m.Version] = m.IsApplied
	}
	return applied, nil
}
