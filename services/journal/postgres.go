package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"gorm.io/gorm"
)

// postgresStore appends by one call of journal_append (see the migration), so that the advisory lock
// is never held while the server waits for this process.
type postgresStore struct{ sqlStore }

// commit needs no BEGIN and COMMIT around the one statement: with them the lock would be held over a round
// trip to this process.
func (s postgresStore) commit(ctx context.Context, batch []Draft) ([]Receipt, error) {
	for {
		receipts, err := s.append(ctx, s.write.WithContext(ctx), batch)
		// A batch of this node or of another holds the lock for longer than a statement may wait for one. Nothing was done, and
		// the callers have as long as ctx.
		if e, ok := errors.AsType[*pgconn.PgError](err); !ok || e.Code != lockNotAvailable || ctx.Err() != nil {
			return receipts, err
		}
	}
}

// lockNotAvailable is the SQLSTATE of a lock_timeout.
const lockNotAvailable = "55P03"

// atOnce is two: while the database works on one batch, it is sent the next.
func (postgresStore) atOnce() int { return 2 }

// rejects knows the SQLSTATE classes of data and integrity, and of what is too large.
func (postgresStore) rejects(err error) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (strings.HasPrefix(e.Code, "22") || strings.HasPrefix(e.Code, "23") || strings.HasPrefix(e.Code, "54"))
}

func (postgresStore) fix(tx *gorm.DB) error {
	return tx.Exec("SELECT pg_advisory_xact_lock(822301)").Error
}

func (postgresStore) append(ctx context.Context, tx *gorm.DB, batch []Draft) ([]Receipt, error) {
	n := len(batch)
	kinds, actors, topics, collapse := make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	audiences, payloads := make([]string, n), make([]string, n)
	principals, keys, digests := make([]string, n), make([]string, n), make([]string, n)
	subjects, expiries := make([]int64, n), make([]int64, n)
	for i, d := range batch {
		kinds[i], subjects[i], actors[i], topics[i], collapse[i] = d.Kind, d.Subject, d.Actor, d.Topic, d.CollapseKey
		audiences[i], payloads[i], expiries[i] = strings.Join(d.Audiences, " "), string(d.Payload), d.ExpiresAt
		if d.Once != nil {
			principals[i], keys[i], digests[i] = d.Once.Principal, d.Once.Key, d.Once.Digest
		}
	}
	// Past GORM, because GORM unfolds a slice into a list of parameters where an array is meant.
	rows, err := tx.Statement.ConnPool.QueryContext(ctx,
		`SELECT item, at_offset, at_ms, used_digest FROM journal_append($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11)`,
		kinds, subjects, actors, topics, collapse, audiences, payloads, expiries, principals, keys, digests)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	receipts := make([]Receipt, n)
	for rows.Next() {
		var item int
		var r Receipt
		var used sql.NullString
		if err := rows.Scan(&item, &r.Offset, &r.CreatedAt, &used); err != nil {
			return nil, err
		}
		if item < 1 || item > n {
			return nil, fmt.Errorf("journal: the database answered for item %d of %d", item, n)
		}
		r.Replayed = used.Valid
		if used.Valid && used.String != digests[item-1] {
			r.Offset = 0 // another request under the same key
		}
		receipts[item-1] = r
	}
	return receipts, rows.Err()
}
