package services

import (
	"context"
	"encoding/base64"
	"log/slog"
	"time"

	"gorm.io/gorm"

	"belfry/models"
)

// storedKey is the name of the row that holds the signing key; those that it replaced have theirs behind it.
const storedKey = "signing_key"

// Bounds of learning keys.
const (
	learnEvery   = time.Second     // between two looks that unknown names bring about: anybody can make one up
	learnTimeout = 2 * time.Second // for one
	learnWaiting = 100             // requests that wait for one; who comes later is refused at once
	unknownLimit = 10_000          // names that are remembered as nobody's
	keepEvery    = 15 * time.Second
)

// settleSigningKey makes the stored key where it is to sign and there is none. Of two nodes that start at once one wins, and
// both read its value. Where the operator gives a key, the stored one signs no more.
func (d *Database) settleSigningKey(ctx context.Context, given bool) error {
	db := d.Write.WithContext(ctx)
	if given {
		return db.Exec("UPDATE secrets SET retired_at = "+d.now()+" WHERE name = ? AND retired_at IS NULL", storedKey).Error
	}
	err := db.Exec("INSERT INTO secrets (name, value, created_at) VALUES (?, ?, "+d.now()+") ON CONFLICT DO NOTHING", storedKey, randomText(MinSecret)).Error
	if err != nil {
		return err
	}
	return db.Exec("UPDATE secrets SET retired_at = NULL WHERE name = ? AND retired_at IS NOT NULL", storedKey).Error
}

// signingKeys reads the stored keys, the one that signs, if any, first.
func (d *Database) signingKeys(ctx context.Context) ([]signingKey, error) {
	var values []string
	err := d.Write.WithContext(ctx).Raw("SELECT value FROM secrets WHERE name = ? OR name LIKE ? ORDER BY CASE WHEN name = ? THEN 0 ELSE 1 END, created_at DESC",
		storedKey, storedKey+".%", storedKey).Scan(&values).Error
	keys := make([]signingKey, len(values))
	for i, value := range values {
		secret, wrong := base64.RawURLEncoding.DecodeString(value)
		if wrong != nil {
			return nil, wrong
		}
		keys[i] = signingKey{keyName(secret), secret}
	}
	return keys, err
}

// ReplaceSigningKey makes a new stored key. The old one goes on verifying until [Keyring.Keep] removes it.
func (d *Database) ReplaceSigningKey(ctx context.Context) error {
	return d.Write.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		lock := ""
		if d.Dialect == Postgres {
			lock = " FOR UPDATE" // two that replace it at once would name one old key twice
		}
		var old struct {
			Value     string
			RetiredAt *models.Instant
		}
		if err := tx.Raw("SELECT value, retired_at FROM secrets WHERE name = ?"+lock, storedKey).Scan(&old).Error; err != nil {
			return err
		}
		if old.RetiredAt != nil {
			return models.Errorf(models.CodeConflict, "This installation is given its key by SECRET; replace it there.")
		}
		if old.Value != "" {
			secret, err := base64.RawURLEncoding.DecodeString(old.Value)
			if err != nil {
				return err
			}
			if err := tx.Exec("UPDATE secrets SET name = ?, retired_at = "+d.now()+" WHERE name = ?", storedKey+"."+keyName(secret), storedKey).Error; err != nil {
				return err
			}
		}
		err := tx.Exec("INSERT INTO secrets (name, value, created_at) VALUES (?, ?, "+d.now()+")", storedKey, randomText(MinSecret)).Error
		if err != nil {
			return err
		}
		return d.record(tx, Act{Action: "signing_key.replaced"})
	})
}

// keyLook is a look at the database that is to come, and how it went.
type keyLook struct {
	done chan struct{}
	err  error
}

// learn waits for a look at the database that begins after this call: a key is stored before it signs, so one that is not
// found then is nobody's. Looks are bounded in rate, and so is who waits for one.
func (r *Keyring) learn(name string) bool {
	r.mu.Lock()
	if r.unknown[name] || r.waiting >= learnWaiting {
		r.mu.Unlock()
		return false
	}
	if r.next == nil {
		r.next = &keyLook{done: make(chan struct{})}
		time.AfterFunc(time.Until(r.looked.Add(learnEvery)), r.look)
	}
	look := r.next
	r.waiting++
	r.mu.Unlock()
	<-look.done
	_, known := r.find(name)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waiting--
	if !known && look.err == nil {
		if len(r.unknown) >= unknownLimit {
			clear(r.unknown)
		}
		r.unknown[name] = true
	}
	return known
}

func (r *Keyring) look() {
	r.mu.Lock()
	look := r.next
	r.next, r.looked = nil, time.Now()
	r.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), learnTimeout)
	defer cancel()
	look.err = r.load(ctx)
	close(look.done)
}

// Keep follows the keys of the database until ctx ends, and removes those that were replaced and that no cookie is signed
// with any more. sessionMax is how long a session may last at most.
func (r *Keyring) Keep(ctx context.Context, sessionMax time.Duration, log *slog.Logger) {
	tick := time.NewTicker(keepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := r.refresh(ctx, sessionMax); err != nil && ctx.Err() == nil {
			log.Warn("the signing keys cannot be read; it will be tried again", "error", err)
		}
	}
}

func (r *Keyring) refresh(ctx context.Context, sessionMax time.Duration) error {
	old := "name LIKE '" + storedKey + "%' AND retired_at <= " + r.db.now() + " - ?"
	life := (sessionMax + cookieSlack).Milliseconds()
	var due bool
	err := r.db.Read.WithContext(ctx).Raw("SELECT EXISTS (SELECT 1 FROM secrets WHERE "+old+")", life).Scan(&due).Error
	if err == nil && due {
		err = r.db.Write.WithContext(ctx).Exec("DELETE FROM secrets WHERE "+old, life).Error
	}
	if err != nil {
		return err
	}
	return r.load(ctx)
}
