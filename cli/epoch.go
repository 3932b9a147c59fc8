package cli

import (
	"context"

	"belfry/config"
	"belfry/services"
	"belfry/services/journal"
)

type epochCmd struct {
	New epochNewCmd `cmd:"" help:"Begin a new epoch, the last step of restoring a backup: every client reloads."`
}

type epochNewCmd struct{}

func (epochNewCmd) Run(ctx context.Context, s *config.Settings, term *console) error {
	return withJournal(ctx, s, func(_ *services.Database, j *journal.Journal) error {
		if err := j.NewEpoch(ctx); err != nil {
			return err
		}
		return term.say("began a new epoch; every client will be told to reload")
	})
}
