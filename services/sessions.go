package services

import (
	"context"
	"crypto/subtle"
	"errors"
	"log/slog"
	"time"

	"gorm.io/gorm"

	"belfry/models"
	"belfry/services/journal"
)

// kindLock is the entry that every change of a session's state is.
const kindLock = "lock"

// touchCoalesce bounds how often activity is written down: within it, and a tenth of the idle time,
// a session counts as touched. A session may so lock that much early, never late.
const touchCoalesce = 2 * time.Second

// Sessions decides who is signed in and whether the session is locked. The row decides, on the
// database's clock; each change of it is also an entry of the log, in the same transaction.
type Sessions struct {
	sessionRows
	journal  *journal.Journal
	hasher   *Hasher
	tokens   *Tokens
	throttle *Throttle
	factors  *Factors
	log      *slog.Logger

	rows      func(ctx context.Context, ids ...string) ([]*Live, error) // from the database; a simulation has its own
	unknown   *together[string, *Live]                                  // reads what is not in memory
	cache     *cache[string, *Live]                                     // by id; what lies in it is not changed
	refreshed int64                                                     // when Refresh last looked, on the database's clock
}

// NewSessions makes the service. limits hold for every session at once, also for those that began
// under others.
func NewSessions(db *Database, j *journal.Journal, h *Hasher, t *Tokens, throttle *Throttle, f *Factors, limits models.SessionLimits, log *slog.Logger) *Sessions {
	s := &Sessions{sessionRows: sessionRows{db: db, limits: limits}, journal: j, hasher: h, tokens: t, throttle: throttle, factors: f, log: log, cache: newCache[string, *Live]()}
	s.rows = func(ctx context.Context, ids ...string) ([]*Live, error) {
		return s.find(db.Write.WithContext(ctx), "s.id IN ?", ids)
	}
	s.unknown = newTogether(s.rowsByID)
	j.Observe(s.observe, s.cache.clear)
	return s
}

// Live is a session with its user, as the database saw them at one moment of its clock.
type Live struct {
	models.Session
	User    models.User
	Now     models.Instant
	Verdict models.Verdict
	AsOf    int64 // the head of the log when the row was read
}

// SessionUser is the user of a session, as clients see it.
type SessionUser struct {
	Username    string      `json:"username"`
	DisplayName string      `json:"display_name"`
	Role        models.Role `json:"role" enum:"user,admin"`
	Locale      string      `json:"locale" doc:"A BCP 47 tag; empty where none was chosen"`
}

// SessionUserOf shows a person to themselves.
func SessionUserOf(u *models.User) SessionUser {
	return SessionUser{Username: u.Username, DisplayName: u.DisplayName, Role: u.Role, Locale: u.Locale}
}

// SessionView is a session as clients see it. Durations are milliseconds.
type SessionView struct {
	ID            string              `json:"id" doc:"Opaque; not the secret"`
	User          SessionUser         `json:"user"`
	State         models.SessionState `json:"state" enum:"active,locked,ended"`
	Reason        *models.Reason      `json:"reason" enum:"idle,manual,remote,admin,max_age,logout,revoked,password_changed,disabled,too_many_attempts"`
	IdleRemaining int64               `json:"idle_remaining_ms"`
	MaxRemaining  int64               `json:"max_remaining_ms"`
	Warning       int64               `json:"warning_ms"`
	CreatedAt     models.Instant      `json:"created_at" format:"date-time"`
	LastActiveAt  models.Instant      `json:"last_active_at" format:"date-time"`
	IP            string              `json:"ip"`
	UserAgent     string              `json:"user_agent"`
	Current       bool                `json:"current"`
}

// View shows a session; current marks the caller's own.
func (s *Sessions) View(l *Live, current bool) SessionView {
	view := SessionView{
		ID: l.ID, State: l.Verdict.State, Current: current, CreatedAt: l.CreatedAt, LastActiveAt: l.LastActiveAt,
		User:          SessionUserOf(&l.User),
		IdleRemaining: l.Verdict.IdleRemaining.Milliseconds(), MaxRemaining: l.Verdict.MaxRemaining.Milliseconds(),
		Warning: s.limits.EffectiveWarning().Milliseconds(), IP: l.IP, UserAgent: l.UserAgent,
	}
	if l.Verdict.Reason != "" {
		view.Reason = &l.Verdict.Reason
	}
	return view
}

// sessionRow is a session joined with its user and the database's clock.
type sessionRow struct {
	models.Session
	Username     string
	DisplayName  string
	Role         models.Role
	Locale       string
	PasswordHash string
	JoinedOffset int64
	DisabledAt   *models.Instant
	NowMs        models.Instant
	AsOf         int64
}

func (s *Sessions) live(r *sessionRow) *Live {
	return &Live{
		Session: r.Session, Now: r.NowMs, Verdict: r.Judge(s.limits, r.NowMs), AsOf: r.AsOf,
		User: models.User{ID: r.UserID, Username: r.Username, DisplayName: r.DisplayName, Role: r.Role, Locale: r.Locale,
			PasswordHash: r.PasswordHash, JoinedOffset: r.JoinedOffset, DisabledAt: r.DisabledAt},
	}
}

// find reads sessions with their users. It reads from the writer's side of the database: what was
// committed a moment ago must show.
func (s *Sessions) find(tx *gorm.DB, where string, args ...any) ([]*Live, error) {
	var rows []sessionRow
	err := tx.Raw(`SELECT s.*, u.username, u.display_name, u.role, u.locale, u.password_hash, u.joined_offset, u.disabled_at, `+
		s.db.now()+` AS now_ms, (SELECT head FROM log_head) AS as_of FROM sessions s JOIN users u ON u.id = s.user_id WHERE `+where, args...).Scan(&rows).Error
	lives := make([]*Live, len(rows))
	for i := range rows {
		lives[i] = s.live(&rows[i])
	}
	return lives, err
}

func (s *Sessions) byID(tx *gorm.DB, id string) (*Live, error) {
	lives, err := s.find(tx, "s.id = ?", id)
	if err != nil {
		return nil, err
	}
	if len(lives) == 0 {
		return nil, models.ErrNotFound
	}
	return lives[0], nil
}

var errUnauthenticated = models.Errorf(models.CodeUnauthenticated, "Sign in first.")

// ErrEnded is the refusal for a session that is over.
func ErrEnded(reason models.Reason) error {
	return &models.Error{Code: models.CodeUnauthenticated, Detail: "The session has ended; sign in again.", Reason: string(reason)}
}

// Resolve tells whose cookie this is. A session that is locked or ended comes back as such: what may
// be done with it is the caller's question. An unknown cookie is refused.
func (s *Sessions) Resolve(ctx context.Context, cookie string) (*Live, error) {
	name, ok := s.tokens.parseCookie(cookie)
	if !ok {
		return nil, errUnauthenticated
	}
	l, err := s.current(ctx, name.ID)
	if err != nil {
		if errors.Is(err, models.ErrNotFound) {
			return nil, errUnauthenticated
		}
		return nil, err
	}
	if l.Now >= name.expires {
		return nil, errUnauthenticated
	}
	if l.hasSecret(&name) {
		return l, nil
	}
	// The secret may have been replaced on another node a moment ago.
	if l, err = s.read(ctx, name.ID); err != nil {
		return nil, err
	}
	if !l.hasSecret(&name) {
		return nil, errUnauthenticated
	}
	return l, nil
}

func (l *Live) hasSecret(of *sessionName) bool {
	return subtle.ConstantTimeCompare(l.SecretHash, of.SecretHash[:]) == 1
}

// latch stores what the clock has decided for the sessions that where selects: the end where the
// longest age has passed, else the lock. Of several nodes that notice one expiry exactly one writes
// it, because each statement asks the row once more.
func (s *Sessions) latch(ctx context.Context, where string, args ...any) error {
	ctx = WithActor(ctx, system) // whoever asked did not do it
	_, err := s.journal.Transact(ctx, func(tx *gorm.DB) ([]journal.Draft, error) {
		now := s.db.now()
		if err := s.take(tx, "state <> 'ended' AND (created_at <= "+now+" - ? OR state = 'active' AND last_active_at <= "+now+" - ?) AND "+where,
			append([]any{s.limits.Max.Milliseconds(), s.limits.Idle.Milliseconds()}, args...)...); err != nil {
			return nil, err
		}
		ended, err := s.update(tx, "state = 'ended', reason = 'max_age', ended_at = "+now,
			"state <> 'ended' AND created_at <= "+now+" - ? AND "+where, append([]any{s.limits.Max.Milliseconds()}, args...)...)
		if err != nil {
			return nil, err
		}
		locked, err := s.update(tx, "state = 'locked', reason = 'idle'",
			"state = 'active' AND last_active_at <= "+now+" - ? AND "+where, append([]any{s.limits.Idle.Milliseconds()}, args...)...)
		if err != nil {
			return nil, err
		}
		return s.tell(tx, append(ended, locked...), "")
	})
	return err
}

// LockEvent is what a stream says of its session's state.
type LockEvent struct {
	State         string         `json:"state"` // active, expiring, locked or ended
	Reason        *models.Reason `json:"reason"`
	IdleRemaining int64          `json:"idle_remaining_ms"`
	MaxRemaining  int64          `json:"max_remaining_ms"`
}

func lockEvent(v models.Verdict) LockEvent {
	event := LockEvent{State: string(v.State), IdleRemaining: v.IdleRemaining.Milliseconds(), MaxRemaining: v.MaxRemaining.Milliseconds()}
	if v.Reason != "" {
		event.Reason = &v.Reason
	}
	return event
}

// present is the lock event of a session as it stands: an active one that is about to lock or end is
// shown as expiring.
func (s *Sessions) present(v models.Verdict) LockEvent {
	event := lockEvent(v)
	if reason := s.impending(v); reason != "" {
		event.State, event.Reason = "expiring", &reason
	}
	return event
}

// impending says what an active session has to be warned of now; empty = nothing.
func (s *Sessions) impending(v models.Verdict) models.Reason {
	warning := s.limits.EffectiveWarning()
	switch {
	case v.State != models.SessionActive:
		return ""
	case v.MaxRemaining <= warning && v.MaxRemaining <= v.IdleRemaining:
		return models.ReasonMaxAge
	case v.IdleRemaining <= warning:
		return models.ReasonIdle
	default:
		return ""
	}
}

// EndedOffset is the log entry that ended the session; 0 when it is no longer kept.
func (s *Sessions) EndedOffset(ctx context.Context, id string) (offset int64, err error) {
	err = s.db.Read.WithContext(ctx).Raw("SELECT COALESCE(max(log_offset), 0) FROM recipients WHERE audience = ?", lockAudience(id)).Scan(&offset).Error
	return offset, err
}
