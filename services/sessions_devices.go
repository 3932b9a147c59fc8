package services

import (
	"context"
	"errors"
	"strings"

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
		drafts, err := s.lock(tx, reason, where, args...)
		n = len(drafts)
		return drafts, err
	})
	return n, err
}

// lock locks the sessions that where selects, within the caller's transaction, and gives an entry for each.
func (s *Sessions) lock(tx *gorm.DB, reason models.Reason, where string, args ...any) ([]journal.Draft, error) {
	if err := s.take(tx, "state <> 'ended' AND "+where, args...); err != nil {
		return nil, err
	}
	// One that is too old is left to its end: the log would tell of that at once, the row would not.
	rows, err := s.update(tx, "state = 'locked', reason = ?", "state = 'active' AND created_at > "+s.db.now()+" - ? AND "+where,
		append([]any{reason, s.limits.Max.Milliseconds()}, args...)...)
	if err != nil {
		return nil, err
	}
	return s.tell(tx, rows, "")
}

func (s *Sessions) endWhere(ctx context.Context, reason models.Reason, where string, args ...any) error {
	_, err := s.journal.Transact(ctx, func(tx *gorm.DB) ([]journal.Draft, error) {
		return s.end(tx, reason, where, args...)
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

// ListAll gives sessions of everybody that have not ended, the newest first: at most limit, those that began before the one
// named, of people whose name contains the text in any case.
func (s *Sessions) ListAll(ctx context.Context, text, before string, limit int) ([]*Live, error) {
	// One that is past its time and not yet written down as ended is left out: what it shows must not depend on who looked.
	where, args := "s.state <> 'ended' AND s.created_at > "+s.db.now()+" - ?", []any{s.limits.Max.Milliseconds()}
	if text != "" {
		like := "%" + escapeLike(strings.ToLower(text)) + "%"
		where += ` AND (lower(u.username) LIKE ? ESCAPE '\' OR lower(u.display_name) LIKE ? ESCAPE '\')`
		args = append(args, like, like)
	}
	if before != "" {
		where += " AND (s.created_at, s.id) < (SELECT b.created_at, b.id FROM sessions b WHERE b.id = ?)"
		args = append(args, before)
	}
	return s.find(s.db.Write.WithContext(ctx), where+" ORDER BY s.created_at DESC, s.id DESC LIMIT ?", append(args, limit)...)
}

// LockAny locks one session, whosever it is. Locking what is locked gives it back as it is.
func (s *Sessions) LockAny(ctx context.Context, id string) (*Live, error) {
	if _, err := s.lockWhere(ctx, models.ReasonAdmin, "id = ?", id); err != nil {
		return nil, err
	}
	return s.standing(ctx, id)
}

// EndAny ends one session, whosever it is.
func (s *Sessions) EndAny(ctx context.Context, id string) error {
	if _, err := s.standing(ctx, id); err != nil {
		return err
	}
	return s.endWhere(ctx, models.ReasonAdmin, "id = ?", id)
}

// standing reads a session that has not ended; one that has is not there.
func (s *Sessions) standing(ctx context.Context, id string) (*Live, error) {
	found, err := s.read(ctx, id)
	if err == nil && found.Verdict.State == models.SessionEnded {
		err = models.ErrNotFound
	}
	return found, err
}

// EndUser ends every session of a user.
func (s *Sessions) EndUser(ctx context.Context, username string) error {
	id, err := userID(s.db.Read.WithContext(ctx), username)
	if err != nil {
		return err
	}
	return s.endWhere(ctx, models.ReasonAdmin, "user_id = ?", id)
}

// sessionsAtOnce bounds the sessions that one transaction changes, for its entries are written while everybody else waits.
const sessionsAtOnce = 1000

// LockEveryone locks every session there is but the one named, and counts them. Those that sign in meanwhile may escape.
func (s *Sessions) LockEveryone(ctx context.Context, except string) (count int, err error) {
	err = s.each(ctx, "state = 'active'", except, func(ids []string) error {
		n, err := s.lockWhere(ctx, models.ReasonAdmin, "id IN ?", ids)
		count += n
		return err
	})
	return count, err
}

// EndEveryone ends every session there is but the one named. Those that sign in meanwhile may escape.
func (s *Sessions) EndEveryone(ctx context.Context, except string) error {
	return s.each(ctx, "state <> 'ended'", except, func(ids []string) error {
		return s.endWhere(ctx, models.ReasonAdmin, "id IN ?", ids)
	})
}

// each goes through the sessions that where selects, but the one named. It goes by their names: how many were changed at once
// tells nothing of how many are left, for some may lock or end by themselves meanwhile.
func (s *Sessions) each(ctx context.Context, where, except string, do func(ids []string) error) error {
	for after := ""; ; {
		var ids []string
		err := s.db.Write.WithContext(ctx).Raw("SELECT id FROM sessions WHERE "+where+" AND id > ? AND id <> ? ORDER BY id LIMIT ?", after, except, sessionsAtOnce).Scan(&ids).Error
		if err != nil || len(ids) == 0 {
			return err
		}
		if err := do(ids); err != nil {
			return err
		}
		after = ids[len(ids)-1]
	}
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
		return "", s.wrongProof(ctx, l, models.InvalidField("current", "This is not the current password."))
	}
	attempt.forgive()
	hash, err := s.hasher.Hash(ctx, next)
	if err != nil {
		return "", err
	}
	secret := randomText(32)
	_, err = s.journal.Transact(ctx, func(tx *gorm.DB) ([]journal.Draft, error) {
		// The person first and their sessions then, as everybody does who needs both.
		if err := tx.Exec("UPDATE users SET password_hash = ? WHERE id = ?", hash, l.UserID).Error; err != nil {
			return nil, err
		}
		now := s.db.now()
		kept, err := s.update(tx, "secret_hash = ?, last_active_at = "+now+", proved_at = "+now,
			"id = ? AND state = 'active' AND secret_hash = ?", hashOf(secret), l.ID, l.SecretHash)
		if err == nil && len(kept) == 0 {
			err = errUnauthenticated
		}
		if err == nil {
			err = voidReset(tx, l.UserID)
		}
		if err == nil {
			err = s.db.record(tx, Act{Action: "password.changed", UserID: l.UserID})
		}
		if err != nil {
			return nil, err
		}
		drafts, err := s.end(tx, models.ReasonPasswordChanged, "user_id = ? AND id <> ?", l.UserID, l.ID)
		return append(drafts, accountDraft(l.UserID, accountChanged)), err
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
