package services

import (
	"context"
	"sync"
	"time"

	"belfry/models"
	"belfry/services/wheel"
)

// Times of a watch.
const (
	watchQuery = 3 * time.Second        // how long one look at the database may take
	watchRetry = 500 * time.Millisecond // until the next look after one that failed
	watchLeast = 2 * time.Millisecond   // the clocks of node and database need not agree to the millisecond
	// watchAtOnce is how many sessions one look is for: few enough that the others' locks are not late by more than it takes.
	watchAtOnce = 500
)

// watches keeps an eye on the deadlines of the sessions that have streams on this node: it warns
// before the lock and locks on time, though nobody asks.
type watches struct {
	streams *Streams
	wheel   *wheel.Wheel
	mu      sync.Mutex
	by      map[string]*watch // by audience of the session
	due     []string          // sessions whose time has come
	looking bool              // somebody takes from due
	stopped bool
}

type watch struct {
	session  string
	refs     int
	timer    wheel.Timer
	warned   models.Reason // what the streams were warned of; empty = nothing
	deadline time.Time     // when the session locks or ends, as last known
}

func newWatches(s *Streams) *watches {
	return &watches{streams: s, wheel: s.hub.Wheel(), by: map[string]*watch{}}
}

func (w *watches) add(l *Live) {
	w.mu.Lock()
	defer w.mu.Unlock()
	audience := lockAudience(l.ID)
	known := w.by[audience]
	if known == nil {
		// The stream's own opening has said what there is to be warned of now.
		known = &watch{session: l.ID, warned: w.streams.sessions.impending(l.Verdict)}
		known.timer.Call = func() { w.fall(known.session) }
		w.by[audience] = known
	}
	known.refs++
	w.schedule(known, l.Verdict)
}

func (w *watches) remove(session string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	audience := lockAudience(session)
	known := w.by[audience]
	if known == nil {
		return
	}
	if known.refs--; known.refs == 0 {
		w.wheel.Stop(&known.timer)
		delete(w.by, audience)
	}
}

func (w *watches) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stopped = true
	for _, known := range w.by {
		w.wheel.Stop(&known.timer)
	}
}

// schedule sets the timer for whatever comes next; the caller holds w.mu.
func (w *watches) schedule(known *watch, v models.Verdict) {
	if w.stopped || v.State == models.SessionEnded {
		w.wheel.Stop(&known.timer)
		return
	}
	limits := w.streams.sessions.limits
	next := v.MaxRemaining
	if v.State == models.SessionActive {
		next = min(v.IdleRemaining, v.MaxRemaining)
	}
	known.deadline = time.Now().Add(next)
	if v.State == models.SessionActive && known.warned == "" {
		next = max(0, next-limits.EffectiveWarning())
	}
	w.wheel.Reset(&known.timer, max(next, watchLeast))
}

// changed takes over what an entry of the log says of a session's state.
func (w *watches) changed(audience string, state models.SessionState, event LockEvent) {
	w.mu.Lock()
	defer w.mu.Unlock()
	known := w.by[audience]
	if known == nil {
		return
	}
	known.warned = ""
	w.schedule(known, models.Verdict{State: state,
		IdleRemaining: time.Duration(event.IdleRemaining) * time.Millisecond, MaxRemaining: time.Duration(event.MaxRemaining) * time.Millisecond})
}

// fall is called when a session's time has come. Those that fall together are looked at together: a thousand sessions
// that lock in one second must not take a thousand transactions, one after the other.
func (w *watches) fall(session string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.due = append(w.due, session)
	if !w.looking {
		w.looking = true
		go w.lookAtDue()
	}
}

func (w *watches) lookAtDue() {
	for {
		w.mu.Lock()
		batch := w.due[:min(len(w.due), watchAtOnce)]
		w.due = w.due[len(batch):]
		if len(batch) == 0 || w.stopped {
			w.due, w.looking = nil, false
			w.mu.Unlock()
			return
		}
		w.mu.Unlock()
		w.look(batch)
	}
}

// look reads the rows of sessions whose time has come: another node may have seen activity. Reading them also
// stores what the clock has decided, and those entries come back through the log.
func (w *watches) look(sessions []string) {
	looked := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), watchQuery)
	defer cancel()
	lives, err := w.streams.sessions.readAll(ctx, sessions...)
	if err != nil {
		for _, session := range sessions {
			w.failed(lockAudience(session), looked)
		}
		return
	}
	// Those that are not there were deleted; the entry that says so is on its way.
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, l := range lives {
		audience := lockAudience(l.ID)
		if known := w.by[audience]; known != nil && !w.stopped {
			w.warn(known, audience, l.Verdict)
			w.schedule(known, l.Verdict)
		}
	}
}

// failed: the database cannot be asked. A stream stays open meanwhile, but not past the moment when
// its session may be over.
func (w *watches) failed(audience string, looked time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	known := w.by[audience]
	if known == nil || w.stopped {
		return
	}
	if looked.After(known.deadline.Add(watchLeast)) {
		for _, c := range w.streams.hub.Of(audience) {
			c.End(pauseFrame(jitter(time.Second, 5*time.Second)))
		}
	}
	w.wheel.Reset(&known.timer, watchRetry)
}

func (w *watches) warn(known *watch, audience string, v models.Verdict) {
	if v.State != models.SessionActive {
		return
	}
	reason := w.streams.sessions.impending(v)
	if reason == known.warned {
		return
	}
	known.warned = reason
	frame := lockFrame(w.streams.sessions.present(v), "")
	for _, c := range w.streams.hub.Of(audience) {
		c.Signal(frame)
	}
}
