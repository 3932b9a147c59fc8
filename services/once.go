package services

import (
	"context"

	"gorm.io/gorm"

	"belfry/models"
	"belfry/services/journal"
)

// Repeatable names a request that may come twice, by one principal. An empty Key is one that may not.
type Repeatable struct {
	Principal string
	Key       string
	Digest    string // of what the request asks for
}

var errOnceReused = models.Errorf(models.CodeIdempotencyMismatch, "This Idempotency-Key was used for another request.")

// createOnce runs create in a transaction that also remembers the request, and gives the id of what
// it made. The same request again makes nothing and gets the same id; one that comes while the first
// is under way waits for it. A create that fails leaves no memory.
func (d *Database) createOnce(ctx context.Context, r Repeatable, create func(tx *gorm.DB) (int64, error)) (id int64, replayed bool, err error) {
	err = d.Write.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if r.Key == "" {
			id, err = create(tx)
			return err
		}
		if id, err = d.claim(tx, r); err != nil || id != 0 {
			replayed = id != 0
			return err
		}
		if id, err = create(tx); err != nil {
			return err
		}
		return tx.Exec("UPDATE idempotency_keys SET subject = ? WHERE principal = ? AND key = ?", id, r.Principal, r.Key).Error
	})
	return id, replayed, err
}

// claim takes the key, or tells what was made under it. Its insert waits for another transaction
// that holds the same key.
func (d *Database) claim(tx *gorm.DB, r Repeatable) (made int64, err error) {
	err = tx.Exec("DELETE FROM idempotency_keys WHERE principal = ? AND key = ? AND created_at <= "+d.now()+" - ?",
		r.Principal, r.Key, journal.OnceWindow.Milliseconds()).Error
	if err != nil {
		return 0, err
	}
	claimed := tx.Exec("INSERT INTO idempotency_keys (principal, key, digest, subject, created_at) VALUES (?, ?, ?, 0, "+d.now()+") ON CONFLICT DO NOTHING",
		r.Principal, r.Key, r.Digest)
	if claimed.Error != nil || claimed.RowsAffected > 0 {
		return 0, claimed.Error
	}
	var used struct {
		Digest  string
		Subject int64
	}
	if err := tx.Table("idempotency_keys").Take(&used, "principal = ? AND key = ?", r.Principal, r.Key).Error; err != nil {
		return 0, err
	}
	if used.Digest != r.Digest {
		return 0, errOnceReused
	}
	return used.Subject, nil
}

// madeBy is the id of what the very same request made; 0 when it made nothing.
func (d *Database) madeBy(ctx context.Context, r Repeatable) (id int64, err error) {
	err = d.Read.WithContext(ctx).Raw("SELECT COALESCE(max(subject), 0) FROM idempotency_keys WHERE principal = ? AND key = ? AND digest = ? AND created_at > "+d.now()+" - ?",
		r.Principal, r.Key, r.Digest, journal.OnceWindow.Milliseconds()).Scan(&id).Error
	return id, err
}
