package services

import (
	"fmt"
	"slices"
	"time"

	"github.com/anishathalye/porcupine"

	"belfry/models"
)

// staleness is how long a node may answer from what it remembers after another node has changed a session:
// past it without a look at the log it asks the database. With hints, or without them but the poll floor, it
// is less; this is what holds however slow the machine is.
const staleness = 1500 * time.Millisecond

// The promise, of each session by itself: whatever changes it, or is let through on the ground of the row, is
// one line of changes on which all nodes agree, in the order of real time. What a node answers from memory
// stands on that line too: not before the last change that this node made itself, not before the change that
// brought the cookie it is shown, and no further back than staleness.

// register is a session: what it became, one version after the other.
type register []version

// version is a session between two changes. Cookies are counted: unlock number n brings cookie n.
type version struct {
	state  models.SessionState
	cookie int
	failed int

	by   int   // the node that made it, and knows; nobody where no node need know
	made int64 // when the change was answered
}

const nobody = -1

// verb is what a client does.
type verb string

const (
	asks     verb = "asks" // a read
	acts     verb = "acts" // POST /session/activity
	locks    verb = "locks"
	unlocks  verb = "unlocks"
	guesses  verb = "guesses" // unlock with a wrong password
	leaves   verb = "leaves"  // logout
	isLocked verb = "is locked by an admin"
	isEnded  verb = "is ended by an admin"
)

type call struct {
	verb    verb
	session int
	node    int
	cookie  int
	at      int64
	answer  string
	end     int64 // when the answer came
}

func (c call) String() string {
	return fmt.Sprintf("%7.1f–%7.1f ms  node %d, session %d, cookie %d: %s → %s", float64(c.at)/1e6, float64(c.end)/1e6, c.node, c.session, c.cookie, c.verb, c.answer)
}

// renewed is the answer to an unlock that brought a new cookie.
const renewed = "renewed"

const (
	unauthenticated = string(models.CodeUnauthenticated)
	locked          = string(models.CodeLocked)
	tooMany         = unauthenticated + " " + string(models.ReasonTooManyAttempts)
)

// answer is what a version says to whoever needs an active session.
func (v version) answer(cookie int) string {
	switch {
	case v.cookie != cookie || v.state == models.SessionEnded:
		return unauthenticated
	case v.state == models.SessionLocked:
		return locked
	default:
		return done
	}
}

func (r register) last() version { return r[len(r)-1] }

// visible reports whether some version that the call's node may have answered from fits.
func (r register) visible(c call, fits func(version) bool) bool {
	for i := len(r) - 1; i >= 0 && r[i].cookie >= c.cookie; i-- {
		if fits(r[i]) {
			return true
		}
		if r[i].made < c.at-staleness.Nanoseconds() || r[i].by == c.node && r[i].made < c.at {
			return false // nothing older was there for it any more
		}
	}
	return false
}

func (r register) become(c call, v version) register {
	v.by, v.made = c.node, c.end
	return append(slices.Clone(r), v)
}

// count is a change that no request can see but the next unlock.
func (r register) count(c call, v version) register {
	v.by, v.made = nobody, c.end
	return append(slices.Clone(r), v)
}

// step says whether the call can have had its answer now, and what it left.
func (r register) step(c call) (bool, register) {
	now := r.last()
	enters := func() bool {
		return r.visible(c, func(v version) bool { return v.answer(c.cookie) != unauthenticated })
	}
	changed := now
	switch c.verb {
	case asks:
		return r.visible(c, func(v version) bool { return v.answer(c.cookie) == c.answer }), r
	case acts:
		if c.answer == done {
			return now.answer(c.cookie) == done, r
		}
		return r.visible(c, func(v version) bool { return v.answer(c.cookie) == c.answer }), r
	case unlocks, guesses:
		return r.unlock(c)
	case isLocked:
		if c.answer != done { // nothing was there to be locked
			return now.state != models.SessionActive, r
		}
		changed.state = models.SessionLocked
		return now.state == models.SessionActive, r.become(c, changed)
	case locks:
		if c.answer == unauthenticated {
			return now.answer(c.cookie) == unauthenticated, r
		}
		changed.state = models.SessionLocked
		if now.state == models.SessionLocked {
			return enters(), r
		}
		return enters() && now.state == models.SessionActive, r.become(c, changed)
	case leaves:
		if c.answer == unauthenticated {
			return now.answer(c.cookie) == unauthenticated, r
		}
		if !enters() {
			return false, r
		}
	case isEnded:
	}
	if now.state == models.SessionEnded {
		return true, r
	}
	changed.state = models.SessionEnded
	return true, r.become(c, changed)
}

func (r register) unlock(c call) (bool, register) {
	now := r.last()
	open := now.answer(c.cookie) == locked
	changed := now
	switch c.answer {
	case done: // it was active
		return now.answer(c.cookie) == done, r
	case renewed:
		changed.state, changed.cookie, changed.failed = models.SessionActive, now.cookie+1, 0
		return open && c.verb == unlocks, r.become(c, changed)
	case unauthenticated:
		return now.answer(c.cookie) == unauthenticated, r
	case tooMany:
		if !open { // the session had ended for that before
			return now.state == models.SessionEnded, r
		}
		changed.state = models.SessionEnded
		return now.failed == models.MaxUnlockAttempts-1, r.become(c, changed)
	}
	changed.failed++
	return open && c.answer == fmt.Sprintf("%s %d left", unauthenticated, models.MaxUnlockAttempts-changed.failed), r.count(c, changed)
}

// sessionsModel holds each session's history by itself.
var sessionsModel = porcupine.Model{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		by := map[int][]porcupine.Operation{}
		for _, o := range history {
			session := o.Input.(call).session
			by[session] = append(by[session], o)
		}
		parts := make([][]porcupine.Operation, 0, len(by))
		for _, part := range by {
			parts = append(parts, part)
		}
		return parts
	},
	Init: func() any { return register{{state: models.SessionActive, by: nobody}} },
	Step: func(state, input, _ any) (bool, any) {
		ok, next := state.(register).step(input.(call))
		return ok, next
	},
	Equal:             func(a, b any) bool { return slices.Equal(a.(register), b.(register)) },
	DescribeOperation: func(input, _ any) string { return input.(call).String() },
}
