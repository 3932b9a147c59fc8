package cli

import (
	"context"
	"fmt"
	"path"
	"strconv"

	"github.com/pressly/goose/v3"
	goosedb "github.com/pressly/goose/v3/database"

	"belfry/config"
	"belfry/migrations"
	"belfry/services"
)

type migrateCmd struct {
	Up     migrateUpCmd     `cmd:"" default:"withargs" help:"Bring the database to the newest schema (the default)."`
	Status migrateStatusCmd `cmd:"" help:"Show which migrations are in place, and change nothing."`
}

type migrateUpCmd struct {
	JSON bool `name:"json" help:"Print a JSON array of what was applied."`
}

// appliedMigration is one that was brought in now.
type appliedMigration struct {
	Version    int64  `json:"version"`
	Migration  string `json:"migration"`
	DurationMs int64  `json:"duration_ms"`
}

func (c migrateUpCmd) Run(ctx context.Context, s *config.Settings, term *console) error {
	return withDatabase(ctx, s, func(db *services.Database) error {
		results, err := migrate(ctx, db)
		if err != nil {
			return err
		}
		applied := make([]appliedMigration, len(results))
		for i, m := range results {
			applied[i] = appliedMigration{m.Source.Version, path.Base(m.Source.Path), m.Duration.Milliseconds()}
		}
		if c.JSON {
			return term.json(applied)
		}
		for _, m := range applied {
			if err := term.say("applied %s in %d ms", m.Migration, m.DurationMs); err != nil {
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

type migrateStatusCmd struct {
	JSON bool `name:"json" help:"Print a JSON array, which is empty where there is no database yet."`
}

// migrationState is where one stands.
type migrationState struct {
	Version   int64  `json:"version"`
	Migration string `json:"migration"`
	State     string `json:"state"` // applied or pending
}

// Run looks without goose's own status, which makes the table of versions where there is none.
func (c migrateStatusCmd) Run(ctx context.Context, s *config.Settings, term *console) error {
	if services.FileMissing(s.DatabaseURL) {
		if c.JSON {
			return term.json([]migrationState{})
		}
		return term.say("there is no database yet; migrate makes it")
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
		var states []migrationState
		for _, source := range provider.ListSources() {
			state := "pending"
			if applied[source.Version] {
				state = "applied"
			}
			states = append(states, migrationState{source.Version, path.Base(source.Path), state})
		}
		return list(term, c.JSON, states, "VERSION MIGRATION STATE", func(m *migrationState) []string {
			return []string{strconv.FormatInt(m.Version, 10), m.Migration, m.State}
		})
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
