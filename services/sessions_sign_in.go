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

// Client is where a request came from, as far as it is trusted.
type Client struct {
	IP        string
	UserAgent string
}

const maxUserAgent = 400

var errWrongPair = models.Errorf(models.CodeUnauthenticated, "The name or the password is wrong.")

// Login starts a session. A wrong pair is refused in one way and in equal time whether the name is
// known or not. old is the session this browser had before, if any; it ends.
func (s *Sessions) Login(ctx context.Context, username, password string, client Client, old *Live) (*Live, string, error) {
	attempt, err := s.throttle.login(strings.ToLower(username), client.IP)
	if err != nil {
		return nil, "", err
	}
	var user models.User
	err = s.db.Read.WithContext(ctx).Take(&user, "lower(username) = lower(?)", username).Error
	if err != nil && !errors.Is(err, gorm.ErrRecordNotFound) {
		attempt.forgive()
		return nil, "", err
	}
	hash := user.PasswordHash
	if user.DisabledAt != nil {
		hash = "" // takes as long, and fits nothing
	}
	fits, err := s.hasher.Verify(ctx, password, hash)
	if err != nil {
		attempt.forgive()
		return nil, "", err
	}
	if !fits {
		s.log.Info("login failed", "ip", client.IP)
		return nil, "", errWrongPair
	}
	attempt.forgive()
	return s.start(ctx, &user, client, old)
}

// start makes the row and its cookie.
func (s *Sessions) start(ctx context.Context, user *models.User, client Client, old *Live) (*Live, string, error) {
	id, secret := randomText(16), randomText(32)
	agent := strings.ToValidUTF8(strings.ReplaceAll(client.UserAgent, "\x00", ""), "")
	if len(agent) > maxUserAgent {
		agent = strings.ToValidUTF8(agent[:maxUserAgent], "")
	}
	_, err := s.journal.Transact(ctx, func(tx *gorm.DB) ([]journal.Draft, error) {
		var drafts []journal.Draft
		if old != nil {
			ended, err := s.end(tx, models.ReasonLogout, "id = ?", old.ID)
			if err != nil {
				return nil, err
			}
			drafts = s.drafts(ended)
		}
		now := s.db.now()
		// The user's row is asked again: it may have been disabled while the password was verified.
		made := tx.Exec(`INSERT INTO sessions (id, user_id, secret_hash, state, created_at, last_active_at, proved_at, ip, user_agent)
			SELECT ?, id, ?, 'active', `+now+`, `+now+`, `+now+`, ?, ? FROM users WHERE id = ? AND disabled_at IS NULL AND password_hash = ?`,
			id, hashOf(secret), client.IP, agent, user.ID, user.PasswordHash)
		if made.Error == nil && made.RowsAffected == 0 {
			return nil, errWrongPair
		}
		return drafts, made.Error
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
		rows, err = s.touched(tx, "last_active_at = "+now,
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

// touched is change without a line in the log: activity is not an event of a session's life.
func (s *Sessions) touched(tx *gorm.DB, set, where string, args ...any) ([]changed, error) {
	var rows []changed
	err := tx.Raw("UPDATE sessions SET "+set+" WHERE "+where+" RETURNING *, "+s.db.now()+" AS now_ms", args...).Scan(&rows).Error
	return rows, err
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
var ErrLocked = models.Errorf(models.CodeLocked, "The session is locked; unlock it with the password.")

var errWrongPassword = models.Errorf(models.CodeUnauthenticated, "The password is wrong.")

// Unlock gives a locked session back for the right password, under a new cookie; the old one is dead.
// An active session is given back as it is, with no cookie. The fifth wrong password ends it.
func (s *Sessions) Unlock(ctx context.Context, l *Live, password string) (*Live, string, error) {
	if l.Verdict.State != models.SessionLocked {
		// Memory may be behind a lock by another node: a page that is told "active" then would open.
		now, err := s.read(ctx, l.ID)
		switch {
		case err != nil:
			return nil, "", err
		case !bytes.Equal(now.SecretHash, l.SecretHash) || now.Verdict.State == models.SessionEnded:
			return nil, "", s.lostRace(ctx, l)
		case now.Verdict.State == models.SessionActive:
			return now, "", nil
		}
		l = now
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
		return nil, "", s.countWrongUnlock(ctx, l, attempt)
	}
	attempt.forgive()
	secret := randomText(32)
	var rows []changed
	_, err = s.journal.Transact(ctx, func(tx *gorm.DB) ([]journal.Draft, error) {
		var err error
		now := s.db.now()
		rows, err = s.change(tx, "state = 'active', reason = NULL, failed_unlocks = 0, secret_hash = ?, last_active_at = "+now+", proved_at = "+now,
			"id = ? AND state = 'locked' AND secret_hash = ? AND created_at > "+now+" - ?",
			hashOf(secret), l.ID, l.SecretHash, s.limits.Max.Milliseconds())
		return s.drafts(rows), err
	})
	if err != nil {
		return nil, "", err
	}
	if len(rows) == 0 {
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

func (s *Sessions) countWrongUnlock(ctx context.Context, l *Live, attempt *try) error {
	var rows []changed
	_, err := s.journal.Transact(ctx, func(tx *gorm.DB) ([]journal.Draft, error) {
		var err error
		rows, err = s.touched(tx, "failed_unlocks = failed_unlocks + 1", "id = ? AND state = 'locked' AND secret_hash = ?", l.ID, l.SecretHash)
		if err != nil || len(rows) == 0 || rows[0].FailedUnlocks < models.MaxUnlockAttempts {
			return nil, err
		}
		rows, err = s.end(tx, models.ReasonTooManyAttempts, "id = ?", l.ID)
		return s.drafts(rows), err
	})
	if err != nil {
		return err
	}
	if len(rows) == 0 {
		attempt.forgive()
		return s.lostRace(ctx, l)
	}
	left := models.MaxUnlockAttempts - rows[0].FailedUnlocks
	if rows[0].State == models.SessionEnded {
		return ErrEnded(models.ReasonTooManyAttempts)
	}
	wrong := *errWrongPassword
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
		return errWrongPassword
	}
	attempt.forgive()
	err = s.db.Write.WithContext(ctx).Exec("UPDATE sessions SET proved_at = "+s.db.now()+" WHERE id = ? AND state = 'active'", l.ID).Error
	s.cache.forget(l.ID)
	return err
}

// RequireProof refuses when the password was not given lately, on whichever node.
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
		Detail: fmt.Sprintf("Give the password again; a proof counts for %d minutes.", models.ReauthenticationWindow/time.Minute)}
}

func (l *Live) proved() bool {
	return l.Now.Time().Sub(l.ProvedAt.Time()) < models.ReauthenticationWindow
}
