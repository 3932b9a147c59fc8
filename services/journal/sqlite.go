package journal

import (
	"context"
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
	fresh, err := s.settleRepeats(tx, batch, receipts, now)
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
		if err := s.insert(tx, &batch[i], offset, now); err != nil {
			return nil, err
		}
	}
	return receipts, nil
}

// settleRepeats fills in the receipts of what was appended before and tells which drafts are new.
func (sqliteStore) settleRepeats(tx *gorm.DB, batch []Draft, receipts []Receipt, now int64) ([]int, error) {
	var fresh []int
	for i, d := range batch {
		if d.Once == nil {
			fresh = append(fresh, i)
			continue
		}
		var used struct {
			Digest    string
			Subject   int64
			CreatedAt int64
		}
		err := tx.Table("idempotency_keys").Where("principal = ? AND key = ? AND created_at > ?",
			d.Once.Principal, d.Once.Key, now-OnceWindow.Milliseconds()).Take(&used).Error
		switch {
		case errors.Is(err, gorm.ErrRecordNotFound):
			fresh = append(fresh, i)
		case err != nil:
			return nil, err
		case used.Digest != d.Once.Digest:
			receipts[i] = Receipt{Replayed: true}
		default:
			receipts[i] = Receipt{Offset: used.Subject, CreatedAt: used.CreatedAt, Replayed: true}
		}
	}
	return fresh, nil
}

func (sqliteStore) insert(tx *gorm.DB, d *Draft, offset, now int64) error {
	subject := d.Subject
	if subject == 0 {
		subject = offset
	}
	err := tx.Exec(`INSERT INTO entries (log_offset, kind, subject, actor, topic, collapse_key, audiences, payload, created_at, expires_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, NULLIF(?, 0))`,
		offset, d.Kind, subject, d.Actor, d.Topic, d.CollapseKey, strings.Join(d.Audiences, " "), string(d.Payload), now, d.ExpiresAt).Error
	for i := 0; err == nil && i < len(d.Audiences); i++ {
		err = tx.Exec("INSERT OR IGNORE INTO recipients (audience, log_offset) VALUES (?, ?)", d.Audiences[i], offset).Error
	}
	if err == nil && d.Once != nil {
		err = tx.Exec(`INSERT OR REPLACE INTO idempotency_keys (principal, key, digest, subject, created_at)
			VALUES (?, ?, ?, ?, ?)`, d.Once.Principal, d.Once.Key, d.Once.Digest, offset, now).Error
	}
	return err
}
