package services

import (
	"context"
	"slices"
	"strconv"
	"time"

	"gorm.io/gorm"

	"belfry/models"
	"belfry/services/journal"
)

// Repeatable names a request that may come twice, by one principal. An empty Key is one that may not.
type Repeatable struct {
	Principal string
	Key       string
	Digest    string // of what the request asks for

	// Brief is of a request that nothing but time tells from a later one: the same again is a repeat for some minutes, and
	// then news. Only PublishAll looks at it; it names the request anew.
	Brief bool
}

var (
	errOnceReused = models.Errorf(models.CodeIdempotencyMismatch, "This Idempotency-Key was used for another request.")
	errGoneAgain  = models.Errorf(models.CodeConflict, "What this request made is gone again.")
)

// retryStretch is how long a brief request is known at least, and at most twice as long. Senders of alerts that got no
// answer try again within a minute; they remind of an alert, by the same words, after five minutes at the earliest.
const retryStretch = 2 * time.Minute

// nameBrief adds to the key of each brief request of one caller the stretch of time that it falls into, or the one before
// if it was made then, so that the end of a stretch makes nothing new.
func (d *Database) nameBrief(ctx context.Context, batch []Outgoing) error {
	named := func(key string, stretch int64) string { return key + "@" + strconv.FormatInt(stretch, 10) }
	var brief []*Repeatable
	for i := range batch {
		if once := &batch[i].Once; once.Brief && once.Key != "" {
			brief = append(brief, once)
		}
	}
	if len(brief) == 0 {
		return nil
	}
	now, err := d.clock(ctx)
	if err != nil {
		return err
	}
	stretch := int64(now) / retryStretch.Milliseconds()
	before := make([]string, len(brief))
	for i, once := range brief {
		before[i] = named(once.Key, stretch-1)
	}
	var made []string
	err = d.Read.WithContext(ctx).Raw("SELECT key FROM idempotency_keys WHERE principal = ? AND key IN ?", brief[0].Principal, before).Scan(&made).Error
	if err != nil {
		return err
	}
	for i, once := range brief {
		if once.Key = named(once.Key, stretch); slices.Contains(made, before[i]) {
			once.Key = before[i]
		}
	}
	return nil
}

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
