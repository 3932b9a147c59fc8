package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"belfry/client"
	"belfry/config"
	"belfry/services"
	"belfry/services/announce"
	"belfry/services/journal"
)

// registry is what the commands about people and keys work on: the database itself, or a running server
// that holds the SQLite file. [client.Client] is the second.
type registry interface {
	Users(ctx context.Context) ([]client.User, error)
	AddUser(ctx context.Context, u client.NewUser) (*client.User, error)
	ChangeUser(ctx context.Context, username string, change client.UserChange) (*client.User, error)
	SettleUser(ctx context.Context, username string, want client.WantedUser, dryRun bool) (*client.SettledUser, error)
	RemoveUser(ctx context.Context, username string) error
	ResetLink(ctx context.Context, username string) (*client.ResetLink, error)
	Groups(ctx context.Context) ([]client.Group, error)
	AddGroup(ctx context.Context, name, displayName string) (*client.Group, error)
	ChangeGroup(ctx context.Context, name string, change client.GroupChange) (*client.Group, error)
	RemoveGroup(ctx context.Context, name string) error
	JoinGroup(ctx context.Context, group string, usernames ...string) error
	LeaveGroup(ctx context.Context, group string, usernames ...string) error
	Keys(ctx context.Context) ([]client.Key, error)
	CreateKey(ctx context.Context, k client.NewKey) (*client.Key, error)
	RevokeKey(ctx context.Context, id int64) error
}

// withRegistry opens the database for one piece of work. Where another process holds the file, the work
// goes through the API of that process, if we were told where it is; and so it does where there is no file, as on another
// machine than the server's, or in another folder: a new database would take the work in, and nobody would look there.
func withRegistry(ctx context.Context, s *config.Settings, work func(registry) error) error {
	named := s.URL != "" && s.Key != ""
	if named && services.FileMissing(s.DatabaseURL) {
		return throughServer(s, work)
	}
	err := withJournal(ctx, s, func(db *services.Database, j *journal.Journal) error {
		registry, err := newLocal(ctx, db, j, s)
		if err != nil {
			return err
		}
		return work(registry)
	})
	if _, held := errors.AsType[*services.HeldError](err); !held {
		return err
	}
	if !named {
		return fmt.Errorf("%w; to work through it, set BELFRY_URL and BELFRY_KEY (a key with users:write), or stop it first", err)
	}
	return throughServer(s, work)
}

func throughServer(s *config.Settings, work func(registry) error) error {
	remote, err := client.New(s.URL, s.Key)
	if err != nil {
		return err
	}
	return work(remote)
}

// withJournal opens the database, brings it to the newest schema and opens the log.
func withJournal(ctx context.Context, s *config.Settings, work func(*services.Database, *journal.Journal) error) error {
	return withDatabase(ctx, s, func(db *services.Database) error {
		if _, err := migrate(ctx, db); err != nil {
			return err
		}
		// Running nodes poll the log, so a command need not announce; and what goes wrong with the log
		// comes back as the command's own error.
		j, err := journal.Open(ctx, db.Read, db.Write, announce.NewLocal(), slog.New(slog.DiscardHandler))
		if err != nil {
			return err
		}
		defer j.Close()
		return work(db, j)
	})
}

func withDatabase(ctx context.Context, s *config.Settings, work func(*services.Database) error) error {
	db, err := services.OpenDatabase(ctx, s.DatabaseURL)
	if err != nil {
		return err
	}
	return errors.Join(work(db), db.Close())
}
