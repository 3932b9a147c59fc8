package journal

import (
	"context"
	"log/slog"
)

// Store is a log that does not lie in one of our databases. Simulations run the journal on one.
type Store interface {
	Head(ctx context.Context) (Head, error)
	// After gives at most limit entries that follow an offset.
	After(ctx context.Context, offset int64, limit int) ([]Entry, error)
	// Between gives at most limit entries in (after, upTo] that one of the grants lets be seen.
	Between(ctx context.Context, after, upTo int64, grants []Grant, limit int) ([]Entry, error)
	// Commit appends all drafts or none; after an error it may be either.
	Commit(ctx context.Context, drafts []Draft) ([]Receipt, error)
	// ReplaceEpoch does nothing when the epoch is not the old one any more.
	ReplaceEpoch(ctx context.Context, old, fresh string) error
}

// OpenStore starts the committer of a journal on a log elsewhere. Its only transactions are those of Append:
// Transact, Fix and Trim panic.
func OpenStore(ctx context.Context, s Store, announcer Announcer, log *slog.Logger) (*Journal, error) {
	return start(ctx, elsewhere{to: s}, announcer, log)
}

type elsewhere struct {
	store // nil: what is not below does not exist there
	to    Store
}

func (e elsewhere) head(ctx context.Context) (Head, error) { return e.to.Head(ctx) }

func (e elsewhere) after(ctx context.Context, offset int64, limit int) ([]Entry, error) {
	return e.to.After(ctx, offset, limit)
}

func (e elsewhere) between(ctx context.Context, after, upTo int64, grants []Grant, limit int) ([]Entry, error) {
	return e.to.Between(ctx, after, upTo, grants, limit)
}

func (e elsewhere) commit(ctx context.Context, batch []Draft) ([]Receipt, error) {
	return e.to.Commit(ctx, batch)
}

func (elsewhere) atOnce() int { return 2 }

func (elsewhere) rejects(error) bool { return false }

func (e elsewhere) replaceEpoch(ctx context.Context, old, fresh string) error {
	return e.to.ReplaceEpoch(ctx, old, fresh)
}
