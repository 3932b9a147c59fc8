package cli

import (
	"context"
	"log/slog"

	"belfry/config"
	"belfry/models"
	"belfry/services"
)

// firstAdmin makes the admin that the settings name, while there is nobody at all; with nobody and no
// such setting it says how to make one. Once there are users the settings are not looked at, or whoever
// deletes the first admin would have it back after a restart.
func firstAdmin(ctx context.Context, s *config.Settings, users *services.Users, log *slog.Logger) error {
	n, err := users.Count(ctx)
	if err != nil || n > 0 {
		return err
	}
	if s.AdminUser == "" {
		log.Warn(howToBegin(s))
		return nil
	}
	_, err = users.Add(ctx, services.NewUser{Username: s.AdminUser, Password: s.AdminPassword, Role: models.RoleAdmin})
	switch models.CodeOf(err) {
	case models.CodeConflict: // another node was quicker
		return nil
	case models.CodeInvalid:
		return usageError("BELFRY_ADMIN_USER, BELFRY_ADMIN_PASSWORD: " + describe(err))
	}
	if err == nil {
		log.Info("made the first admin", "username", s.AdminUser)
	}
	return err
}

func howToBegin(s *config.Settings) string {
	const how = "there are no users yet; "
	if s.OnSQLite() {
		return how + "stop the server and run: belfry user add NAME --admin (or start it with BELFRY_ADMIN_USER and BELFRY_ADMIN_PASSWORD)"
	}
	return how + "run: belfry user add NAME --admin"
}
