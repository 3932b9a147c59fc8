package journal

import (
	"cmp"
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
	// The driver keeps a goroutine for each statement whose context can end. That of the transaction still ends it, between two.
	ctx = context.WithoutCancel(ctx)
	fresh, err := settleRepeats(ctx, pool, batch, receipts, now)
	if err != nil || len(fresh) == 0 {
		return receipts, err
	}
	var head int64
	if err := tx.Raw("UPDATE log_head SET head = head + ? RETURNING head", len(fresh)).Scan(&head).Error; err != nil {
		return nil, err
	}
	drafts := make([]*Draft, len(fresh))
	offset := head - int64(len(fresh))
	for k, i := range fresh {
		drafts[k] = &batch[i]
		receipts[i] = Receipt{Offset: offset + 1 + int64(k), CreatedAt: now}
	}
	if err := insert(ctx, pool, drafts, offset+1, now); err != nil {
		return nil, err
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

// rowsAtOnce is how many rows a statement inserts. The driver has SQLite parse each statement anew, which row by row is half of
// what an append costs; more rows gain little (BenchmarkAppendBatch).
const rowsAtOnce = 8

// inserter puts rows into a table, some at a time.
type inserter struct {
	pool      gorm.ConnPool
	into, row string // the statement up to its rows, and one row
	args      []any
	rows      int
}

func (i *inserter) add(ctx context.Context, args ...any) error {
	i.args = append(i.args, args...)
	if i.rows++; i.rows < rowsAtOnce {
		return nil
	}
	return i.flush(ctx)
}

func (i *inserter) flush(ctx context.Context) error {
	if i.rows == 0 {
		return nil
	}
	_, err := i.pool.ExecContext(ctx, i.into+" VALUES "+i.row+strings.Repeat(", "+i.row, i.rows-1), i.args...)
	i.args, i.rows = i.args[:0], 0
	return err
}

// insert gives the drafts their offsets from first on.
func insert(ctx context.Context, pool gorm.ConnPool, drafts []*Draft, first, now int64) error {
	entries := inserter{pool: pool, into: "INSERT INTO entries (log_offset, kind, subject, actor, topic, collapse_key, audiences, payload, created_at, expires_at)",
		row: "(?, ?, ?, ?, ?, ?, ?, ?, ?, NULLIF(?, 0))"}
	recipients := inserter{pool: pool, into: "INSERT OR IGNORE INTO recipients (audience, log_offset)", row: "(?, ?)"}
	keys := inserter{pool: pool, into: "INSERT OR REPLACE INTO idempotency_keys (principal, key, digest, subject, created_at)", row: "(?, ?, ?, ?, ?)"}
	for i, d := range drafts {
		offset := first + int64(i)
		err := entries.add(ctx, offset, d.Kind, cmp.Or(d.Subject, offset), d.Actor, d.Topic, d.CollapseKey, strings.Join(d.Audiences, " "), string(d.Payload), now, d.ExpiresAt)
		for _, audience := range d.Audiences {
			err = cmp.Or(err, recipients.add(ctx, audience, offset))
		}
		if d.Once != nil {
			err = cmp.Or(err, keys.add(ctx, d.Once.Principal, d.Once.Key, d.Once.Digest, offset, now))
		}
		if err != nil {
			return err
		}
	}
	return cmp.Or(entries.flush(ctx), recipients.flush(ctx), keys.flush(ctx))
}
