package services

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"gorm.io/gorm"

	"belfry/models"
	"belfry/services/journal"
)

var errWrongPair = models.Errorf(models.CodeUnauthenticated, "The name, the password or the code is wrong.")

// Credentials are what somebody signs in with. Code is of an authenticator app, or a recovery code; empty where there is
// none, or none was asked for yet.
type Credentials struct{ Username, Password, Code string }

// Login starts a session. A wrong pair is refused in one way and in equal time whether the name is
// known or not. old is the session this browser had before, if any; it ends.
func (s *Sessions) Login(ctx context.Context, c Credentials, client Client, old *Live) (*Live, string, error) {
	attempt, err := s.throttle.login(strings.ToLower(c.Username), client.IP)
	if err != nil {
		return nil, "", err
	}
	var user models.User
	err = s.db.Read.WithContext(ctx).Take(&user, "lower(username) = lower(?)", c.Username).Error
	if err != nil && !errors.Is(err, gorm.ErrRecordNotFound) {
		attempt.forgive()
		return nil, "", err
	}
	hash := user.PasswordHash
	if user.DisabledAt != nil {
		hash = "" // takes as long, and fits nothing
	}
	fits, err := s.hasher.Verify(ctx, c.Password, hash)
	if err != nil {
		attempt.forgive()
		return nil, "", err
	}
	if !fits {
		return nil, "", s.db.refused(ctx, errWrongPair, Act{Action: "sign_in.failed", UserID: user.ID})
	}
	second, err := s.factors.second(ctx, &user, c.Code)
	if models.CodeOf(err) == models.CodeUnauthenticated {
		return nil, "", s.db.refused(ctx, err, Act{Action: "sign_in.failed", UserID: user.ID, Detail: map[string]any{"password": "right"}})
	}
	attempt.forgive()
	if err != nil {
		return nil, "", err
	}
	live, cookie, err := s.start(ctx, &user, client, old, second.how, second.spend)
	if err == nil && s.hasher.Outdated(hash) {
		s.rehash(ctx, &user, c.Password)
	}
	return live, cookie, err
}

// rehash stores the password under the present parameters, now that it is known. The old hash goes on being right, so a
// failure is left to the next sign-in.
func (s *Sessions) rehash(ctx context.Context, user *models.User, password string) {
	hash, err := s.hasher.Hash(ctx, password)
	if err == nil {
		err = s.db.Write.WithContext(ctx).Exec("UPDATE users SET password_hash = ? WHERE id = ? AND password_hash = ?", hash, user.ID, user.PasswordHash).Error
	}
	if err != nil {
		s.log.WarnContext(ctx, "a password keeps its old parameters for now", "error", err)
	}
}

// By which proof somebody signed in, unlocked or proved to be there, for the record.
const (
	byPassword     = "password"
	byTOTP         = "totp"
	byRecoveryCode = "recovery_code"
)

// spend is what a proof uses up, or the last look at it: a passkey that was removed meanwhile proves nothing any more. It
// runs first in the transaction that the proof is for, because whoever takes a proof away ends the sessions after that.
type spend func(tx *gorm.DB) error

func allSpent(tx *gorm.DB, spending []spend) error {
	for _, s := range spending {
		if err := s(tx); err != nil {
			return err
		}
	}
	return nil
}

// start makes the row and its cookie, for who has proved to be the user. how says by what.
func (s *Sessions) start(ctx context.Context, user *models.User, client Client, old *Live, how string, spending ...spend) (*Live, string, error) {
	id, secret := randomText(16), randomText(32)
	_, err := s.journal.Transact(ctx, func(tx *gorm.DB) (drafts []journal.Draft, err error) {
		if err := s.holdUser(tx, user.ID); err != nil {
			return nil, err
		}
		if err := allSpent(tx, spending); err != nil {
			return nil, err
		}
		if old != nil {
			if drafts, err = s.end(tx, models.ReasonLogout, "id = ?", old.ID); err != nil {
				return nil, err
			}
		}
		now := s.db.now()
		// The user's row is asked again: it may have been disabled while the proof was verified.
		var at int64
		made := tx.Raw(`INSERT INTO sessions (id, user_id, secret_hash, state, created_at, last_active_at, proved_at, ip, user_agent)
			SELECT ?, id, ?, 'active', `+now+`, `+now+`, `+now+`, ?, ? FROM users WHERE id = ? AND disabled_at IS NULL AND password_hash = ? RETURNING created_at`,
			id, hashOf(secret), client.IP, client.agent(), user.ID, user.PasswordHash).Scan(&at)
		if made.Error == nil && made.RowsAffected == 0 {
			return nil, errWrongPair
		}
		if made.Error != nil {
			return nil, made.Error
		}
		if err := s.db.record(tx, Act{Action: "session.started", Actor: &Actor{Type: ActorUser, Name: user.Username, Session: id, Client: client},
			UserID: user.ID, Session: id, Detail: map[string]any{"how": how}}); err != nil {
			return nil, err
		}
		return drafts, s.db.tellWebhooks(tx, sessionEvent{Event: models.WebhookStarted, Session: id, UserID: user.ID, State: models.SessionActive, At: models.Instant(at)})
	})
	if err != nil {
		return nil, "", err
	}
	return s.withCookie(ctx, id, secret)
}

func (s *Sessions) withCookie(ctx context.Context, id, secret string) (*Live, string, error) {
	l, err := s.byID(s.db.Write.WithContext(ctx), id)
	if err != nil {
		return nil, "", err
	}
	cookie, err := s.tokens.sessionCookie(&l.Session, secret)
	return l, cookie, err
}

// Touch notes that the user did something, and is at the same time the last check before it is done:
// the statement hits no row when the session was locked or ended meanwhile. exact leaves out the
// coalescing.
func (s *Sessions) Touch(ctx context.Context, l *Live, exact bool) (*Live, error) {
	fresh := l.Now.Time().Sub(l.LastActiveAt.Time()) < min(touchCoalesce, s.limits.Idle/10)
	if fresh && !exact {
		return l, nil
	}
	warned := l.Verdict.IdleRemaining <= s.limits.EffectiveWarning()
	var rows []changed
	_, err := s.journal.Transact(ctx, func(tx *gorm.DB) ([]journal.Draft, error) {
		var err error
		now := s.db.now()
		rows, err = s.update(tx, "last_active_at = "+now,
			"id = ? AND state = 'active' AND secret_hash = ? AND last_active_at > "+now+" - ? AND created_at > "+now+" - ?",
			l.ID, l.SecretHash, s.limits.Idle.Milliseconds(), s.limits.Max.Milliseconds())
		if err != nil || !warned {
			return nil, err
		}
		return s.drafts(rows), nil // the warning has passed, on every node's streams
	})
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		now, err := s.read(ctx, l.ID)
		if err != nil {
			return nil, err
		}
		return nil, refusal(now)
	}
	s.active(l.ID, rows[0].LastActiveAt)
	touched := *l
	touched.Session, touched.Now, touched.Verdict = rows[0].Session, rows[0].NowMs, rows[0].Judge(s.limits, rows[0].NowMs)
	return &touched, nil
}

// Remains refuses a session that was locked or ended since it was let in.
func (s *Sessions) Remains(ctx context.Context, l *Live) error {
	now, err := s.current(ctx, l.ID)
	switch {
	case errors.Is(err, models.ErrNotFound):
		return errUnauthenticated
	case err != nil:
		return err
	case now.Verdict.State != models.SessionActive:
		return refusal(now)
	}
	return nil
}

// refusal says why a session cannot act. One that is active after all had its secret replaced.
func refusal(l *Live) error {
	switch l.Verdict.State {
	case models.SessionLocked:
		return ErrLocked
	case models.SessionEnded:
		return ErrEnded(l.Verdict.Reason)
	default:
		return errUnauthenticated
	}
}

// ErrLocked is the refusal for everything a locked session may not do.
var ErrLocked = models.Errorf(models.CodeLocked, "The session is locked; unlock it first.")

var errWrongPassword = models.Errorf(models.CodeUnauthenticated, "The password is wrong.")

// Unlock gives a locked session back for the right password, under a new cookie; the old one is dead.
// An active session is given back as it is, with no cookie. The fifth wrong password ends it.
func (s *Sessions) Unlock(ctx context.Context, l *Live, password string) (*Live, string, error) {
	l, active, err := s.unlockable(ctx, l)
	if err != nil || active != nil {
		return active, "", err
	}
	attempt, err := s.throttle.proof(l.ID)
	if err != nil {
		return nil, "", err
	}
	fits, err := s.hasher.Verify(ctx, password, l.User.PasswordHash)
	if err != nil {
		attempt.forgive()
		return nil, "", err
	}
	if !fits {
		return nil, "", s.countWrongUnlock(ctx, l, attempt, errWrongPassword)
	}
	attempt.forgive()
	return s.reopen(ctx, l, byPassword)
}

// unlockable gives the locked session that a proof may open, or the one that turned out to be active.
func (s *Sessions) unlockable(ctx context.Context, l *Live) (locked, active *Live, err error) {
	if l.Verdict.State == models.SessionLocked {
		return l, nil, nil
	}
	// Memory may be behind a lock by another node: a page that is told "active" then would open.
	now, err := s.read(ctx, l.ID)
	switch {
	case err != nil:
		return nil, nil, err
	case !bytes.Equal(now.SecretHash, l.SecretHash) || now.Verdict.State == models.SessionEnded:
		return nil, nil, s.lostRace(ctx, l)
	case now.Verdict.State == models.SessionActive:
		return nil, now, nil
	}
	return now, nil, nil
}

// reopen unlocks after a right proof. Of two that race, and of one that races an end, one alone finds the row as it was.
func (s *Sessions) reopen(ctx context.Context, l *Live, how string, spending ...spend) (*Live, string, error) {
	secret, hit := randomText(32), false
	_, err := s.journal.Transact(ctx, func(tx *gorm.DB) ([]journal.Draft, error) {
		if err := allSpent(tx, spending); err != nil {
			return nil, err
		}
		now := s.db.now()
		rows, err := s.update(tx, "state = 'active', reason = NULL, failed_unlocks = 0, secret_hash = ?, last_active_at = "+now+", proved_at = "+now,
			"id = ? AND state = 'locked' AND secret_hash = ? AND created_at > "+now+" - ?",
			hashOf(secret), l.ID, l.SecretHash, s.limits.Max.Milliseconds())
		if err != nil {
			return nil, err
		}
		hit = len(rows) > 0
		return s.tell(tx, rows, how)
	})
	if err != nil {
		return nil, "", err
	}
	if !hit {
		return nil, "", s.lostRace(ctx, l)
	}
	return s.withCookie(ctx, l.ID, secret)
}

// lostRace answers an unlock whose session another request changed first. It was no attempt.
func (s *Sessions) lostRace(ctx context.Context, l *Live) error {
	now, err := s.read(ctx, l.ID)
	if err != nil {
		return err
	}
	if now.Verdict.State == models.SessionEnded {
		return ErrEnded(now.Verdict.Reason)
	}
	return errUnauthenticated
}

// countWrongUnlock counts a wrong proof, whichever it was, and ends the session at the last one. refusal is what the
// caller is told beside how many are left.
func (s *Sessions) countWrongUnlock(ctx context.Context, l *Live, attempt *try, refusal *models.Error) error {
	var hit bool
	var left int
	_, err := s.journal.Transact(ctx, func(tx *gorm.DB) ([]journal.Draft, error) {
		rows, err := s.update(tx, "failed_unlocks = failed_unlocks + 1", "id = ? AND state = 'locked' AND secret_hash = ?", l.ID, l.SecretHash)
		if hit = len(rows) > 0; err != nil || !hit {
			return nil, err
		}
		left = max(0, models.MaxUnlockAttempts-rows[0].FailedUnlocks)
		if err := s.db.record(tx, Act{Action: "unlock.failed", UserID: l.UserID, Session: l.ID, Detail: map[string]any{"attempts_left": left}}); err != nil || left > 0 {
			return nil, err
		}
		return s.end(tx, models.ReasonTooManyAttempts, "id = ?", l.ID)
	})
	if err != nil {
		return err
	}
	if !hit {
		attempt.forgive()
		return s.lostRace(ctx, l)
	}
	if left == 0 {
		return ErrEnded(models.ReasonTooManyAttempts)
	}
	wrong := *refusal
	wrong.AttemptsLeft = &left
	return &wrong
}

// Reauthenticate proves the password once more, for what needs a fresh proof.
func (s *Sessions) Reauthenticate(ctx context.Context, l *Live, password string) error {
	attempt, err := s.throttle.proof(l.ID)
	if err != nil {
		return err
	}
	fits, err := s.hasher.Verify(ctx, password, l.User.PasswordHash)
	if err != nil {
		attempt.forgive()
		return err
	}
	if !fits {
		return s.wrongProof(ctx, l, errWrongPassword)
	}
	attempt.forgive()
	return s.markProved(ctx, l, byPassword)
}

// wrongProof records that somebody who has the session does not have the password, and gives the refusal.
func (s *Sessions) wrongProof(ctx context.Context, l *Live, refusal error) error {
	return s.db.refused(ctx, refusal, Act{Action: "reauthentication.failed", UserID: l.UserID, Session: l.ID})
}

// markProved notes a fresh proof, whichever it was.
func (s *Sessions) markProved(ctx context.Context, l *Live, how string, spending ...spend) error {
	hit := false
	err := s.db.Write.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if err := allSpent(tx, spending); err != nil {
			return err
		}
		rows, err := s.update(tx, "proved_at = "+s.db.now(), "id = ? AND state = 'active'", l.ID)
		if hit = len(rows) > 0; err != nil || !hit {
			return err
		}
		return s.db.record(tx, Act{Action: "session.reauthenticated", UserID: l.UserID, Session: l.ID, Detail: map[string]any{"how": how}})
	})
	s.cache.forget(l.ID)
	if err != nil || hit {
		return err
	}
	now, err := s.read(ctx, l.ID) // it was locked or ended while the proof was looked at
	if err != nil {
		return err
	}
	return refusal(now)
}

// RequireProof refuses when nothing was proved lately (by password, passkey or single sign-on), on whichever node.
func (s *Sessions) RequireProof(ctx context.Context, l *Live) error {
	if l.proved() {
		return nil
	}
	now, err := s.read(ctx, l.ID)
	if err != nil {
		return err
	}
	if now.proved() {
		return nil
	}
	return &models.Error{Code: models.CodeReauthentication,
		Detail: fmt.Sprintf("Prove once more that it is you; a proof counts for %d minutes.", models.ReauthenticationWindow/time.Minute)}
}

func (l *Live) proved() bool {
	return l.Now.Time().Sub(l.ProvedAt.Time()) < models.ReauthenticationWindow
}
