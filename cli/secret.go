package cli

import (
	"context"

	"belfry/config"
	"belfry/services"
)

type secretCmd struct {
	New secretNewCmd `cmd:"" help:"Make a new signing key; nobody is signed out by it."`
}

type secretNewCmd struct{}

// Run replaces the key that lies in the database.
func (secretNewCmd) Run(ctx context.Context, s *config.Settings, term *console) error {
	if len(s.Secret) > 0 {
		return usageError("BELFRY_SECRET is given: put a new one there, and the old one into BELFRY_SECRET_PREVIOUS")
	}
	return withDatabase(ctx, s, func(db *services.Database) error {
		if _, err := migrate(ctx, db); err != nil {
			return err
		}
		if err := db.ReplaceSigningKey(ctx); err != nil {
			return err
		}
		return term.say("made a new signing key; what the old one has signed is good until it runs out")
	})
}
