package services

import (
	"context"
	"errors"
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
)

// watches keeps an eye on the deadlines of the sessions that have streams on this node: it warns
// before the lock and locks on time, though nobody asks.
type watches struct {
	streams *Streams
	wheel   *wheel.Wheel
	mu      sync.Mutex
	by      map[string]*watch // by audience of the session
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
		known.timer.Call = func() { go w.look(audience) } // it asks the database, and the wheel must not wait for that
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

// look reads the row when its time has come: another node may have seen activity. Reading it also
// stores what the clock has decided, and that entry comes back through the log.
func (w *watches) look(audience string) {
	w.mu.Lock()
	known := w.by[audience]
	if known == nil || w.stopped {
		w.mu.Unlock()
		return
	}
	session, overdue := known.session, time.Now().After(known.deadline.Add(watchLeast))
	w.mu.Unlock()

	ctx, cancel := context.WithTimeout(context.Background(), watchQuery)
	defer cancel()
	l, err := w.streams.sessions.read(ctx, session)
	if err != nil {
		w.failed(known, audience, overdue, err)
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.warn(known, audience, l.Verdict)
	w.schedule(known, l.Verdict)
}

// failed: the database cannot be asked. A stream stays open meanwhile, but not past the moment when
// its session may be over.
func (w *watches) failed(known *watch, audience string, overdue bool, err error) {
	if errors.Is(err, models.ErrNotFound) {
		return // deleted; the entry that says so is on its way
	}
	if overdue {
		for _, c := range w.streams.hub.Of(audience) {
			c.End(pauseFrame(jitter(time.Second, 5*time.Second)))
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.stopped {
		w.wheel.Reset(&known.timer, watchRetry)
	}
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
