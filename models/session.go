package models

import "time"

// SessionState is where a session stands. It is a stored fact, never worked out on the way.
type SessionState string

// The states: active → locked → active; active or locked → ended.
const (
	SessionActive SessionState = "active"
	SessionLocked SessionState = "locked"
	SessionEnded  SessionState = "ended"
)

// Reason says why a session is locked or ended.
type Reason string

// The reasons a session can carry.
const (
	ReasonIdle            Reason = "idle"
	ReasonManual          Reason = "manual"
	ReasonRemote          Reason = "remote"
	ReasonAdmin           Reason = "admin"
	ReasonMaxAge          Reason = "max_age"
	ReasonLogout          Reason = "logout"
	ReasonRevoked         Reason = "revoked"
	ReasonPasswordChanged Reason = "password_changed"
	ReasonDisabled        Reason = "disabled"
	ReasonTooManyAttempts Reason = "too_many_attempts"
)

// MaxUnlockAttempts wrong passwords since the last right one end a session.
const MaxUnlockAttempts = 5

// ReauthenticationWindow is how long a proof of the password counts for what needs one.
const ReauthenticationWindow = 5 * time.Minute

// Session is one sign-in of one browser. The cookie names the row and carries the secret whose hash
// the row holds; the row decides everything else.
type Session struct {
	ID            string `gorm:"primaryKey"`
	UserID        int64
	SecretHash    []byte
	State         SessionState
	Reason        *Reason
	CreatedAt     Instant
	LastActiveAt  Instant
	ProvedAt      Instant // when the password was last given: login, unlock, re-authentication
	EndedAt       *Instant
	FailedUnlocks int
	IP            string
	UserAgent     string
}

// SessionLimits are the deadlines every session lives under.
type SessionLimits struct {
	Idle    time.Duration
	Max     time.Duration
	Warning time.Duration
}

// EffectiveWarning is how long before the lock the warning comes: never more than half of idle, or
// a short idle time would be one long warning.
func (l SessionLimits) EffectiveWarning() time.Duration { return min(l.Warning, l.Idle/2) }

// Verdict is what the clock makes of a session that still counts as active or locked.
type Verdict struct {
	State         SessionState
	Reason        Reason
	IdleRemaining time.Duration
	MaxRemaining  time.Duration
}

// Judge says what a session has become at the given moment of the database's clock. Where both
// deadlines have passed the end wins over the lock.
func (s *Session) Judge(limits SessionLimits, now Instant) Verdict {
	idle := limits.Idle - now.Time().Sub(s.LastActiveAt.Time())
	left := limits.Max - now.Time().Sub(s.CreatedAt.Time())
	v := Verdict{State: s.State, IdleRemaining: max(idle, 0), MaxRemaining: max(left, 0)}
	if s.Reason != nil {
		v.Reason = *s.Reason
	}
	switch {
	case s.State == SessionEnded:
		v.IdleRemaining, v.MaxRemaining = 0, 0
	case left <= 0:
		v.State, v.Reason = SessionEnded, ReasonMaxAge
		v.IdleRemaining = 0
	case s.State == SessionLocked:
		v.IdleRemaining = 0
	case idle <= 0:
		v.State, v.Reason = SessionLocked, ReasonIdle
	}
	return v
}
