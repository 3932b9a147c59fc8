package cli

import (
	"context"
	"errors"

	"belfry/config"
	"belfry/services"
	"belfry/services/journal"
)

type epochCmd struct {
	New epochNewCmd `cmd:"" help:"Begin a new epoch, the last step of restoring a backup: every client reloads."`
}

type epochNewCmd struct{}

// Run refuses where there is nothing: whoever restores a backup and forgets to name the database would else be told that all is
// well, and pages would go on from offsets that are given out again.
func (epochNewCmd) Run(ctx context.Context, s *config.Settings, term *console) error {
	if services.FileMissing(s.DatabaseURL) {
		return errors.New("there is no database yet, and so no epoch to follow on; BELFRY_DATABASE_URL names the one that was restored")
	}
	return withJournal(ctx, s, func(_ *services.Database, j *journal.Journal) error {
		if err := j.NewEpoch(ctx); err != nil {
			return err
		}
		return term.say("began a new epoch; every client will be told to reload")
	})
}
