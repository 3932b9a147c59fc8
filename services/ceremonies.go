package services

import (
	"context"
	"time"

	"gorm.io/gorm"

	"belfry/models"
)

// purpose is what a ceremony was begun for. One begun for another is none.
type purpose string

// ceremony is what a way of signing in that takes two requests keeps between them: by passkey, or at a provider. It lies
// in the database, so that any node can finish what another began.
type ceremony struct {
	Purpose   purpose
	UserID    *int64 // nil = not known before the end
	SessionID string // the session that began it; empty = none
	Data      string
	CreatedAt models.Instant
}

// beginCeremony keeps c for that long, and gives the id by which it is finished: a secret of 256 bits, of which only the
// hash is stored.
func (d *Database) beginCeremony(ctx context.Context, c ceremony, lifetime time.Duration) (id string, err error) {
	id = randomText(32)
	err = d.Write.WithContext(ctx).Exec("INSERT INTO ceremonies (id_hash, purpose, user_id, session_id, data, created_at, expires_at) SELECT ?, ?, ?, ?, ?, "+
		d.now()+", "+d.now()+" + ?", hashOf(id), c.Purpose, c.UserID, c.SessionID, c.Data, lifetime.Milliseconds()).Error
	return id, err
}

// finishCeremony gives what was begun for one of these purposes, and uses it up whatever comes of it: of two requests
// that show one id exactly one gets it. One that expired, was used, or was never begun is not there. Whether it was
// begun by the session that finishes it is for the caller to see.
func (d *Database) finishCeremony(ctx context.Context, id string, purposes ...purpose) (*ceremony, error) {
	return d.takeCeremony(d.Write.WithContext(ctx), id, purposes...)
}

// takeCeremony is finishCeremony within the caller's transaction: undone, it is there again.
func (d *Database) takeCeremony(tx *gorm.DB, id string, purposes ...purpose) (*ceremony, error) {
	var found []ceremony
	err := tx.Raw("DELETE FROM ceremonies WHERE id_hash = ? AND purpose IN ? AND expires_at > "+d.now()+
		" RETURNING purpose, user_id, session_id, data, created_at", hashOf(id), purposes).Scan(&found).Error
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, models.ErrNotFound
	}
	return &found[0], nil
}
