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
	// watchGather is how long what falls due together has time to come together.
	watchGather = 5 * time.Millisecond
	// watchLookers is how many looks there are at a time: one that a locked row holds up must not hold up the others.
	watchLookers = 4
)

// watches keeps an eye on the deadlines of the sessions that have streams on this node: it warns
// before the lock and locks on time, though nobody asks.
type watches struct {
	streams *Streams
	wheel   *wheel.Wheel
	mu      sync.Mutex
	by      map[string]*watch // by audience of the session
	due     []string          // sessions whose time has come
	suspect []string          // those of them that could not be read the last time: one of them may hang again
	lookers int               // how many take from due
	stopped bool

	gathering bool // somebody is about to take from due
}

type watch struct {
	session  string
	refs     int
	changes  int  // that the log has told of
	suspect  bool // the last look failed
	timer    wheel.Timer
	warned   models.Reason // what the streams were warned of; empty = nothing
	deadline time.Time     // when the session locks or ends, as last known
}

func newWatches(s *Streams) *watches {
	return &watches{streams: s, wheel: s.hub.Wheel(), by: map[string]*watch{}}
}

// add begins to watch a session, before the stream's opening reads how it stands: what the log tells from here on is
// not missed. settled has to follow, or remove.
func (w *watches) add(l *Live) (changes int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	audience := lockAudience(l.ID)
	known := w.by[audience]
	if known == nil {
		known = &watch{session: l.ID}
		known.timer.Call = func() { w.fall(known.session) }
		w.by[audience] = known
	}
	known.refs++
	return known.changes
}

// settled takes over how the session stood at a moment when the stream's opening was put together, which has said what
// there is to be warned of; unless the log has told of something newer since add.
func (w *watches) settled(l *Live, at time.Time, changes int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	known := w.by[lockAudience(l.ID)]
	if known == nil || known.changes != changes {
		return
	}
	if known.refs == 1 { // the session's other streams have not been told
		known.warned = w.streams.sessions.impending(l.Verdict)
	}
	w.schedule(known, l.Verdict, at)
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

// schedule sets the timer for whatever comes next after the moment for which the verdict holds: an opening may have waited
// for a busy database since then, and that time is gone. The caller holds w.mu.
func (w *watches) schedule(known *watch, v models.Verdict, at time.Time) {
	if w.stopped || v.State == models.SessionEnded {
		w.wheel.Stop(&known.timer)
		return
	}
	limits := w.streams.sessions.limits
	next := v.MaxRemaining
	if v.State == models.SessionActive {
		next = min(v.IdleRemaining, v.MaxRemaining)
	}
	known.deadline = at.Add(next)
	next = time.Until(known.deadline)
	if v.State == models.SessionActive && known.warned == "" {
		next = max(0, next-limits.EffectiveWarning())
	}
	w.wheel.Reset(&known.timer, max(next, watchLeast))
}

// outdate makes void what is being read of a session: the log is about to tell its streams of something newer, and a
// warning that came after that would be of a time that is over.
func (w *watches) outdate(audience string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if known := w.by[audience]; known != nil {
		known.changes++
	}
}

// changed takes over what an entry of the log says of a session's state, after its streams were told of it.
func (w *watches) changed(audience string, state models.SessionState, event LockEvent) {
	w.mu.Lock()
	defer w.mu.Unlock()
	known := w.by[audience]
	if known == nil {
		return
	}
	known.warned = ""
	w.schedule(known, models.Verdict{State: state,
		IdleRemaining: time.Duration(event.IdleRemaining) * time.Millisecond, MaxRemaining: time.Duration(event.MaxRemaining) * time.Millisecond}, time.Now())
}

// fall is called when a session's time has come. Those that fall together are looked at together: a thousand sessions
// that lock in one second must not take a thousand transactions, one after the other.
func (w *watches) fall(session string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if known := w.by[lockAudience(session)]; known != nil && known.suspect {
		w.suspect = append(w.suspect, session)
	} else {
		w.due = append(w.due, session)
	}
	if !w.gathering {
		w.gathering = true
		time.AfterFunc(watchGather, w.lookAtDue)
	}
}

// lookAtDue looks at what has gathered, unless enough others are at it, who come back for it.
func (w *watches) lookAtDue() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.gathering = false
	if w.lookers == watchLookers {
		return
	}
	w.lookers++
	for !w.stopped {
		list := &w.due
		if len(*list) == 0 {
			list = &w.suspect
		}
		batch := (*list)[:min(len(*list), watchAtOnce)]
		if len(batch) == 0 {
			break
		}
		*list = (*list)[len(batch):]
		w.mu.Unlock()
		w.look(batch)
		w.mu.Lock()
	}
	w.lookers--
}

// look reads the rows of sessions whose time has come: another node may have seen activity. Reading them also
// stores what the clock has decided, and those entries come back through the log.
func (w *watches) look(sessions []string) {
	looked, changes := time.Now(), w.changesOf(sessions)
	ctx, cancel := context.WithTimeout(context.Background(), watchQuery)
	defer cancel()
	lives, err := w.streams.sessions.readAll(ctx, sessions...)
	if err != nil {
		if half := len(sessions) / 2; half > 0 && ctx.Err() == nil { // one of them may be what is wrong
			w.look(sessions[:half])
			w.look(sessions[half:])
			return
		}
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
		known := w.by[audience]
		if known != nil {
			known.suspect = false
		}
		// What the log has told meanwhile is newer than what was read.
		if known != nil && !w.stopped && known.changes == changes[l.ID] {
			w.warn(known, audience, l.Verdict)
			w.schedule(known, l.Verdict, looked)
		}
	}
}

func (w *watches) changesOf(sessions []string) map[string]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	changes := make(map[string]int, len(sessions))
	for _, session := range sessions {
		if known := w.by[lockAudience(session)]; known != nil {
			changes[session] = known.changes
		}
	}
	return changes
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
	known.suspect = true
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
