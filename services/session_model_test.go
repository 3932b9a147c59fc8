package services

import (
	"errors"
	"strconv"
	"time"

	"belfry/models"
)

// modelSession is what the contract says of one session, in as few words as it can be said. The service
// has rows, statements and a clock; this has none of them.
type modelSession struct {
	id     string
	cookie string   // the one that is alive
	dead   []string // those that were replaced
	state  models.SessionState
	reason models.Reason
	failed int // wrong passwords since the last right one

	idle, age, proof time.Duration // since the last activity, the login, the last proof of the password

	told []string // what the log says of it, "state reason" each
}

// seen is what whoever looks now must find, whether or not anybody has looked before.
func (s *modelSession) seen() (models.SessionState, models.Reason) {
	switch {
	case s.state == models.SessionEnded:
	case s.age >= testLimits.Max:
		return models.SessionEnded, models.ReasonMaxAge
	case s.state == models.SessionActive && s.idle >= testLimits.Idle:
		return models.SessionLocked, models.ReasonIdle
	}
	return s.state, s.reason
}

// look makes a stored fact of what the clock has decided.
func (s *modelSession) look() {
	if state, reason := s.seen(); state != s.state {
		s.become(state, reason)
	}
}

// become is a change: each is told once.
func (s *modelSession) become(state models.SessionState, reason models.Reason) {
	s.state, s.reason = state, reason
	s.told = append(s.told, telling(state, reason))
}

func telling(state models.SessionState, reason models.Reason) string {
	if reason == "" {
		return string(state)
	}
	return string(state) + " " + string(reason)
}

// lock locks what is active, and leaves alone what is not or is past its end. It says whether it did.
func (s *modelSession) lock(reason models.Reason) bool {
	if state, _ := s.seen(); s.state != models.SessionActive || state == models.SessionEnded {
		return false
	}
	s.become(models.SessionLocked, reason)
	return true
}

// end ends what has not ended.
func (s *modelSession) end(reason models.Reason) {
	if s.state != models.SessionEnded {
		s.become(models.SessionEnded, reason)
	}
}

// warned reports whether the page counts down to the lock.
func (s *modelSession) warned() bool { return s.idle >= testLimits.Idle-testLimits.Warning }

// touch is activity. Where a warning was out, the log says that it has passed.
func (s *modelSession) touch(warned bool) {
	if warned {
		s.told = append(s.told, string(models.SessionActive))
	}
	s.idle = 0
}

// renew replaces the cookie for who has just proved the password.
func (s *modelSession) renew(cookie string) {
	s.dead, s.cookie = append(s.dead, s.cookie), cookie
	s.idle, s.proof = 0, 0
}

// unlock gives the answer to an unlock of a locked session; cookie is what a right password brought.
func (s *modelSession) unlock(right bool, cookie string) string {
	if right {
		s.failed = 0
		s.renew(cookie)
		s.become(models.SessionActive, "")
		return done
	}
	if s.failed++; s.failed == models.MaxUnlockAttempts {
		s.end(models.ReasonTooManyAttempts)
		return s.refusal()
	}
	return refusedWith(models.CodeUnauthenticated) + " " + strconv.Itoa(models.MaxUnlockAttempts-s.failed) + " left"
}

// refusal is the answer to whoever needs an active session; done when it is one.
func (s *modelSession) refusal() string {
	switch state, reason := s.seen(); state {
	case models.SessionLocked:
		return refusedWith(models.CodeLocked)
	case models.SessionEnded:
		return refusedWith(models.CodeUnauthenticated) + " " + string(reason)
	default:
		return done
	}
}

// done is the answer to what was carried out.
const done = "done"

func refusedWith(code models.Code) string { return string(code) }

// answer is a refusal in one word or a few: the code, then what the contract names beside it. The code is
// the status: locked is 423, unauthenticated 401.
func answer(err error) string {
	if err == nil {
		return done
	}
	e, ok := errors.AsType[*models.Error](err)
	if !ok {
		return err.Error()
	}
	text := refusedWith(e.Code)
	if e.Reason != "" {
		text += " " + e.Reason
	}
	if e.AttemptsLeft != nil {
		text += " " + strconv.Itoa(*e.AttemptsLeft) + " left"
	}
	return text
}
