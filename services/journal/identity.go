package journal

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5/pgconn"
)

// identifier is a store that can tell when the log it holds is not the one it was: a standby that may have
// lagged was promoted, a backup taken back, the database moved. Offsets may then be given anew, to other entries.
type identifier interface {
	// identify gives the log the fresh epoch if its identity has changed since anybody looked, and says so.
	identify(ctx context.Context, fresh string) (changed bool, err error)
}

// look reads the end of the log, after making sure that it still is the same log. In the other order a head
// of the new one would count as one of the old.
func (j *Journal) look(ctx context.Context) (Head, error) {
	if s, can := j.store.(identifier); can && !j.nameless.Load() {
		changed, err := s.identify(ctx, randomEpoch())
		switch {
		case isRefused(err):
			j.nameless.Store(true)
			j.log.Warn("the database does not say which cluster and timeline it is; a failover is noticed by the log being shorter alone", "error", err)
		case err != nil:
			return Head{}, err
		case changed:
			j.log.Warn("the log lies in another database cluster, or on another timeline, than it did; it gets a new epoch")
		}
	}
	return j.Head(ctx)
}

// identify is one statement, so that of many nodes that notice one changes the epoch and the others find
// it changed. It takes no lock where nothing has changed. The timeline is read from the log that is being
// written, because the control file has it only after the next checkpoint, which may be minutes after a promotion.
func (s postgresStore) identify(ctx context.Context, fresh string) (bool, error) {
	var epochs []string
	err := s.write.WithContext(ctx).Raw(`UPDATE log_head
		SET identity = here.identity, epoch = CASE WHEN log_head.identity = '' THEN epoch ELSE ? END
		FROM (SELECT system_identifier || '/' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) AS identity FROM pg_control_system()) here
		WHERE log_head.identity <> here.identity
		RETURNING epoch`, fresh).Scan(&epochs).Error
	return len(epochs) == 1 && epochs[0] == fresh, err
}

// isRefused reports whether a server will never say who it is: the role may not ask, or it has no such
// functions, as with some services that only speak PostgreSQL's protocol.
func isRefused(err error) bool {
	const noPrivilege, noFunction, notSupported = "42501", "42883", "0A000"
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (e.Code == noPrivilege || e.Code == noFunction || e.Code == notSupported)
}
