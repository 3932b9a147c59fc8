package services

import (
	"context"
	"errors"

	"gorm.io/gorm"

	"belfry/models"
	"belfry/services/journal"
)

// Lock locks one of the user's own sessions. Locking what is locked gives it back as it is.
func (s *Sessions) Lock(ctx context.Context, l *Live, id string) (*Live, error) {
	reason := models.ReasonRemote
	if id == l.ID {
		reason = models.ReasonManual
	}
	if _, err := s.lockWhere(ctx, reason, "id = ? AND user_id = ?", id, l.UserID); err != nil {
		return nil, err
	}
	return s.own(ctx, l, id)
}

// own reads a session of the user's that has not ended; anything else is not there.
func (s *Sessions) own(ctx context.Context, l *Live, id string) (*Live, error) {
	found, err := s.read(ctx, id)
	if err != nil {
		return nil, err
	}
	if found.UserID != l.UserID || (found.Verdict.State == models.SessionEnded && id != l.ID) {
		return nil, models.ErrNotFound
	}
	if found.Verdict.State == models.SessionEnded {
		return nil, ErrEnded(found.Verdict.Reason)
	}
	return found, nil
}

func (s *Sessions) lockWhere(ctx context.Context, reason models.Reason, where string, args ...any) (n int, err error) {
	_, err = s.journal.Transact(ctx, func(tx *gorm.DB) ([]journal.Draft, error) {
		if err := s.take(tx, "state <> 'ended' AND "+where, args...); err != nil {
			return nil, err
		}
		// One that is too old is left to its end: the log would tell of that at once, the row would not.
		rows, err := s.change(tx, "state = 'locked', reason = ?", "state = 'active' AND created_at > "+s.db.now()+" - ? AND "+where,
			append([]any{reason, s.limits.Max.Milliseconds()}, args...)...)
		n = len(rows)
		return s.drafts(rows), err
	})
	return n, err
}

// end ends the sessions that where selects, within the caller's transaction.
func (s *Sessions) end(tx *gorm.DB, reason models.Reason, where string, args ...any) ([]changed, error) {
	if err := s.take(tx, "state <> 'ended' AND "+where, args...); err != nil {
		return nil, err
	}
	return s.change(tx, "state = 'ended', reason = ?, ended_at = "+s.db.now(), "state <> 'ended' AND "+where, append([]any{reason}, args...)...)
}

func (s *Sessions) endWhere(ctx context.Context, reason models.Reason, where string, args ...any) error {
	_, err := s.journal.Transact(ctx, func(tx *gorm.DB) ([]journal.Draft, error) {
		rows, err := s.end(tx, reason, where, args...)
		return s.drafts(rows), err
	})
	return err
}

// Logout ends the caller's own session, on every node.
func (s *Sessions) Logout(ctx context.Context, l *Live) error {
	return s.endWhere(ctx, models.ReasonLogout, "id = ?", l.ID)
}

// End ends another of the user's own sessions, which needs a fresh proof of the password; or this
// one, which does not.
func (s *Sessions) End(ctx context.Context, l *Live, id string) error {
	if id == l.ID {
		return s.Logout(ctx, l)
	}
	if _, err := s.own(ctx, l, id); err != nil {
		return err
	}
	if err := s.RequireProof(ctx, l); err != nil {
		return err
	}
	return s.endWhere(ctx, models.ReasonRevoked, "id = ? AND user_id = ?", id, l.UserID)
}

// EndOthers ends all of the user's sessions but this one; it needs a fresh proof of the password.
func (s *Sessions) EndOthers(ctx context.Context, l *Live) error {
	if err := s.RequireProof(ctx, l); err != nil {
		return err
	}
	return s.endWhere(ctx, models.ReasonRevoked, "user_id = ? AND id <> ?", l.UserID, l.ID)
}

// List gives the user's sessions that have not ended, the most recently used first.
func (s *Sessions) List(ctx context.Context, userID int64) ([]*Live, error) {
	if err := s.latch(ctx, "user_id = ?", userID); err != nil {
		return nil, err
	}
	return s.find(s.db.Write.WithContext(ctx), "s.user_id = ? AND s.state <> 'ended' ORDER BY s.last_active_at DESC, s.id", userID)
}

// LockUser locks every session of a user, for an admin or another system, and counts them.
func (s *Sessions) LockUser(ctx context.Context, username string) (int, error) {
	id, err := userID(s.db.Read.WithContext(ctx), username)
	if err != nil {
		return 0, err
	}
	return s.lockWhere(ctx, models.ReasonAdmin, "user_id = ?", id)
}

// EndUser ends every session of a user.
func (s *Sessions) EndUser(ctx context.Context, username string) error {
	id, err := userID(s.db.Read.WithContext(ctx), username)
	if err != nil {
		return err
	}
	return s.endWhere(ctx, models.ReasonAdmin, "user_id = ?", id)
}

func userID(tx *gorm.DB, username string) (id int64, err error) {
	var user models.User
	err = tx.Select("id").Take(&user, "lower(username) = lower(?)", username).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return 0, models.ErrNotFound
	}
	return user.ID, err
}

// ChangePassword replaces the password for who knows the current one. This session goes on under a
// new cookie, all others end.
func (s *Sessions) ChangePassword(ctx context.Context, l *Live, current, next string) (string, error) {
	if !models.ValidPassword(next) {
		return "", models.InvalidField("new", passwordRule)
	}
	attempt, err := s.throttle.proof(l.ID)
	if err != nil {
		return "", err
	}
	fits, err := s.hasher.Verify(ctx, current, l.User.PasswordHash)
	if err != nil {
		attempt.forgive()
		return "", err
	}
	if !fits {
		return "", models.InvalidField("current", "This is not the current password.")
	}
	attempt.forgive()
	hash, err := s.hasher.Hash(ctx, next)
	if err != nil {
		return "", err
	}
	secret := randomText(32)
	_, err = s.journal.Transact(ctx, func(tx *gorm.DB) ([]journal.Draft, error) {
		now := s.db.now()
		kept, err := s.touched(tx, "secret_hash = ?, last_active_at = "+now+", proved_at = "+now,
			"id = ? AND state = 'active' AND secret_hash = ?", hashOf(secret), l.ID, l.SecretHash)
		if err == nil && len(kept) == 0 {
			err = errUnauthenticated
		}
		if err == nil {
			err = tx.Exec("UPDATE users SET password_hash = ? WHERE id = ?", hash, l.UserID).Error
		}
		if err != nil {
			return nil, err
		}
		ended, err := s.end(tx, models.ReasonPasswordChanged, "user_id = ? AND id <> ?", l.UserID, l.ID)
		return append(s.drafts(ended), accountDraft(l.UserID, accountChanged)), err
	})
	if err != nil {
		return "", err
	}
	_, cookie, err := s.withCookie(ctx, l.ID, secret)
	return cookie, err
}

// Ticket mints a stream ticket that lives and dies with the session. It is no activity.
func (s *Sessions) Ticket(l *Live) (Minted, error) {
	return s.tokens.minted(Ticket{SessionID: l.ID}, l.Now)
}
