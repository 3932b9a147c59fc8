package journal

import (
	"context"
	"database/sql"
	"errors"
	"strings"

	gosqlite "github.com/glebarez/go-sqlite"
	"gorm.io/gorm"
)

// sqliteStore appends statement by statement: the file has one writer, so nobody waits for a lock
// that this process holds.
type sqliteStore struct{ sqlStore }

func (s sqliteStore) commit(ctx context.Context, batch []Draft) (receipts []Receipt, err error) {
	err = s.transact(ctx, func(tx *gorm.DB) (err error) {
		receipts, err = s.append(ctx, tx, batch)
		return err
	})
	return receipts, err
}

// rejects knows the primary result codes of a constraint and of what is too big.
func (sqliteStore) rejects(err error) bool {
	e, ok := errors.AsType[*gosqlite.Error](err)
	return ok && (e.Code()&0xff == 18 || e.Code()&0xff == 19)
}

// fix has nothing to do: a transaction that writes is alone.
func (sqliteStore) fix(*gorm.DB) error { return nil }

// atOnce is one: the file has one writer.
func (sqliteStore) atOnce() int { return 1 }

const sqliteNow = "CAST(unixepoch('subsec') * 1000 AS INTEGER)"

func (s sqliteStore) append(ctx context.Context, tx *gorm.DB, batch []Draft) ([]Receipt, error) {
	tx = tx.WithContext(ctx)
	receipts := make([]Receipt, len(batch))
	var now int64
	if err := tx.Raw("SELECT " + sqliteNow).Scan(&now).Error; err != nil {
		return nil, err
	}
	// Past GORM, whose own work is a sixth of an append.
	pool := tx.Statement.ConnPool
	fresh, err := settleRepeats(ctx, pool, batch, receipts, now)
	if err != nil || len(fresh) == 0 {
		return receipts, err
	}
	var head int64
	if err := tx.Raw("UPDATE log_head SET head = head + ? RETURNING head", len(fresh)).Scan(&head).Error; err != nil {
		return nil, err
	}
	offset := head - int64(len(fresh))
	for _, i := range fresh {
		offset++
		receipts[i] = Receipt{Offset: offset, CreatedAt: now}
		if err := insert(ctx, pool, &batch[i], offset, now); err != nil {
			return nil, err
		}
	}
	return receipts, nil
}

// settleRepeats fills in the receipts of what was appended before and tells which drafts are new.
func settleRepeats(ctx context.Context, pool gorm.ConnPool, batch []Draft, receipts []Receipt, now int64) ([]int, error) {
	var fresh []int
	for i, d := range batch {
		if d.Once == nil {
			fresh = append(fresh, i)
			continue
		}
		var digest string
		var made Receipt
		err := pool.QueryRowContext(ctx, "SELECT digest, subject, created_at FROM idempotency_keys WHERE principal = ? AND key = ? AND created_at > ?",
			d.Once.Principal, d.Once.Key, now-OnceWindow.Milliseconds()).Scan(&digest, &made.Offset, &made.CreatedAt)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			fresh = append(fresh, i)
		case err != nil:
			return nil, err
		case digest != d.Once.Digest:
			receipts[i] = Receipt{Replayed: true}
		default:
			made.Replayed = true
			receipts[i] = made
		}
	}
	return fresh, nil
}

func insert(ctx context.Context, pool gorm.ConnPool, d *Draft, offset, now int64) error {
	subject := d.Subject
	if subject == 0 {
		subject = offset
	}
	_, err := pool.ExecContext(ctx, `INSERT INTO entries (log_offset, kind, subject, actor, topic, collapse_key, audiences, payload, created_at, expires_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, NULLIF(?, 0))`,
		offset, d.Kind, subject, d.Actor, d.Topic, d.CollapseKey, strings.Join(d.Audiences, " "), string(d.Payload), now, d.ExpiresAt)
	for i := 0; err == nil && i < len(d.Audiences); i++ {
		_, err = pool.ExecContext(ctx, "INSERT OR IGNORE INTO recipients (audience, log_offset) VALUES (?, ?)", d.Audiences[i], offset)
	}
	if err == nil && d.Once != nil {
		_, err = pool.ExecContext(ctx, `INSERT OR REPLACE INTO idempotency_keys (principal, key, digest, subject, created_at)
			VALUES (?, ?, ?, ?, ?)`, d.Once.Principal, d.Once.Key, d.Once.Digest, offset, now)
	}
	return err
}
