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

const sqliteNow = "CAST(unixepoch('subsec') * 1000 AS INTEGER)"

func (s sqliteStore) append(ctx context.Context, tx *gorm.DB, batch []Draft) ([]Receipt, error) {
	tx = tx.WithContext(ctx)
	receipts := make([]Receipt, len(batch))
	var now int64
	if err := tx.Raw("SELECT " + sqliteNow).Scan(&now).Error; err != nil {
		return nil, err
	}
	statements, err := prepare(ctx, tx)
	if err != nil {
		return nil, err
	}
	defer statements.close()
	fresh, err := statements.settleRepeats(ctx, batch, receipts, now)
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
		if err := statements.insert(ctx, &batch[i], offset, now); err != nil {
			return nil, err
		}
	}
	return receipts, nil
}

// sqliteStatements are what a transaction says for each entry. They are past GORM and prepared, because GORM's own work
// and the parsing were most of an append (BenchmarkAppend): what a transaction costs grows with its entries.
type sqliteStatements struct{ used, entry, recipient, once *sql.Stmt }

func prepare(ctx context.Context, tx *gorm.DB) (*sqliteStatements, error) {
	s := &sqliteStatements{}
	var fault error
	statement := func(text string) *sql.Stmt {
		prepared, err := tx.Statement.ConnPool.PrepareContext(ctx, text)
		fault = errors.Join(fault, err)
		return prepared
	}
	s.used = statement(`SELECT digest, subject, created_at FROM idempotency_keys WHERE principal = ? AND key = ? AND created_at > ?`)
	s.entry = statement(`INSERT INTO entries (log_offset, kind, subject, actor, topic, collapse_key, audiences, payload, created_at, expires_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, NULLIF(?, 0))`)
	s.recipient = statement(`INSERT OR IGNORE INTO recipients (audience, log_offset) VALUES (?, ?)`)
	s.once = statement(`INSERT OR REPLACE INTO idempotency_keys (principal, key, digest, subject, created_at) VALUES (?, ?, ?, ?, ?)`)
	if fault != nil {
		s.close()
		return nil, fault
	}
	return s, nil
}

func (s *sqliteStatements) close() {
	for _, statement := range []*sql.Stmt{s.used, s.entry, s.recipient, s.once} {
		if statement != nil {
			_ = statement.Close() // the transaction ends with its connection's say
		}
	}
}

// settleRepeats fills in the receipts of what was appended before and tells which drafts are new.
func (s *sqliteStatements) settleRepeats(ctx context.Context, batch []Draft, receipts []Receipt, now int64) ([]int, error) {
	var fresh []int
	for i, d := range batch {
		if d.Once == nil {
			fresh = append(fresh, i)
			continue
		}
		var digest string
		var made Receipt
		err := s.used.QueryRowContext(ctx, d.Once.Principal, d.Once.Key, now-OnceWindow.Milliseconds()).Scan(&digest, &made.Offset, &made.CreatedAt)
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

func (s *sqliteStatements) insert(ctx context.Context, d *Draft, offset, now int64) error {
	subject := d.Subject
	if subject == 0 {
		subject = offset
	}
	_, err := s.entry.ExecContext(ctx, offset, d.Kind, subject, d.Actor, d.Topic, d.CollapseKey, strings.Join(d.Audiences, " "), string(d.Payload), now, d.ExpiresAt)
	for i := 0; err == nil && i < len(d.Audiences); i++ {
		_, err = s.recipient.ExecContext(ctx, d.Audiences[i], offset)
	}
	if err == nil && d.Once != nil {
		_, err = s.once.ExecContext(ctx, d.Once.Principal, d.Once.Key, d.Once.Digest, offset, now)
	}
	return err
}
