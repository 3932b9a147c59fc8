package cli

import (
	"context"
	"fmt"

	"belfry/config"
	"belfry/services"
	"belfry/services/journal"
)

type epochCmd struct {
	New epochNewCmd `cmd:"" help:"Begin a new epoch, the last step of restoring a backup: every client reloads."`
}

type epochNewCmd struct{}

// Run warns where there was nothing: whoever restores a backup and forgets to name the database would else be told that all is
// well, and pages would go on from offsets that are given out again.
func (epochNewCmd) Run(ctx context.Context, s *config.Settings, term *console) error {
	missing := services.FileMissing(s.DatabaseURL)
	return withJournal(ctx, s, func(_ *services.Database, j *journal.Journal) error {
		if err := j.NewEpoch(ctx); err != nil {
			return err
		}
		if missing {
			fmt.Fprintf(term.err, "belfry: %s is new, and no page knows an epoch of it; BELFRY_DATABASE_URL names the database that was restored\n", s.DatabaseURL)
		}
		return term.say("began a new epoch; every client will be told to reload")
	})
}
