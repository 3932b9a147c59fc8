// Package wheel keeps very many timers of which few are due at any time: setting one, moving it and taking it
// away each cost the same however many there are, and only those that are due cost anything. It is a hierarchical
// timing wheel (Varghese and Lauck, 1987).
package wheel

import (
	"math/bits"
	"sync"
	"time"
)

// Tick is how exact a wheel is: a timer is never early, and late by less than two ticks where the machine has time.
const Tick = 10 * time.Millisecond

const (
	slotBits = 6
	slots    = 1 << slotBits // as many as a word has bits
	levels   = 5             // of 0.64 s, 41 s, 44 min, 47 h and 124 days
	// One slot less than a whole turn, or the furthest slot would be the one that the present is in.
	furthest = (slots - 1) << (slotBits * (levels - 1))
)

// Wheel calls timers when they are due, one after the other. The zero Wheel is not usable. It has no goroutine while
// nothing is due, so there is nothing to close.
type Wheel struct {
	mu      sync.Mutex
	began   time.Time
	now     int64 // the tick up to which everything was called
	levels  [levels]level
	alarm   *time.Timer
	rings   int64 // the tick that the alarm is set to; 0 = to none
	turning bool
}

// level is one wheel: each of its slots spans all slots of the level below.
type level struct {
	first    [slots]*Timer
	occupied uint64 // a bit for each slot
}

// Timer is one thing to be called. Set Call before it is first given to a wheel.
type Timer struct {
	// Call must not block: the next timers wait for it. It may come just after Stop or Reset, as with time.Timer.
	Call func()

	due        int64 // a tick
	next, prev *Timer
	level      int8
	slot       int8
	set        bool
}

// New makes a wheel.
func New() *Wheel {
	return &Wheel{began: time.Now()}
}

// Reset has t called after a duration, whether it was set before or not. More than 122 days count as 122 days.
func (w *Wheel) Reset(t *Timer, after time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.take(t)
	// Rounded up, or it would be early; later than now, or it would never come.
	due := int64((time.Since(w.began) + after + Tick - 1) / Tick)
	t.due = min(max(due, w.now+1), w.now+furthest)
	w.put(t)
	if !w.turning {
		w.setAlarm()
	}
}

// Stop takes t away.
func (w *Wheel) Stop(t *Timer) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.take(t) // the alarm may ring for nothing, once
}

// put links t into the lowest level in which it and the present have no common slot. So each level's timers lie ahead
// of the present within one turn, and a lower level's come before a higher one's.
func (w *Wheel) put(t *Timer) {
	l := (bits.Len64(uint64(t.due^w.now)) - 1) / slotBits //nolint:gosec // both are positive
	l = min(l, levels-1)
	s := int(t.due>>(slotBits*l)) & (slots - 1)
	t.level, t.slot, t.set = int8(l), int8(s), true //nolint:gosec // both are small
	head := &w.levels[l].first[s]
	if t.prev, t.next = nil, *head; t.next != nil {
		t.next.prev = t
	}
	*head = t
	w.levels[l].occupied |= 1 << s
}

func (w *Wheel) take(t *Timer) {
	if !t.set {
		return
	}
	l := &w.levels[t.level]
	if t.prev != nil {
		t.prev.next = t.next
	} else if l.first[t.slot] = t.next; t.next == nil {
		l.occupied &^= 1 << t.slot
	}
	if t.next != nil {
		t.next.prev = t.prev
	}
	t.next, t.prev, t.set = nil, nil, false
}

// upcoming is the next tick at which something has to be done: to call a timer, or to spread a slot of a higher level
// over those below.
func (w *Wheel) upcoming() (tick int64, l, slot int, found bool) {
	for l := range levels {
		// The topmost level has no turn above it to end its slots, so the present may lie behind one: it goes round.
		present := int(w.now>>(slotBits*l)) & (slots - 1)
		ahead := bits.RotateLeft64(w.levels[l].occupied, -present)
		if ahead == 0 {
			continue
		}
		steps := bits.TrailingZeros64(ahead)
		span := int64(1) << (slotBits * l)
		return (w.now/span + int64(steps)) * span, l, (present + steps) & (slots - 1), true
	}
	return 0, 0, 0, false
}

func (w *Wheel) setAlarm() {
	tick, _, _, found := w.upcoming()
	if !found || (w.rings != 0 && w.rings <= tick) {
		return // it rings early enough
	}
	w.rings = tick
	wait := time.Duration(tick)*Tick - time.Since(w.began)
	if w.alarm == nil {
		w.alarm = time.AfterFunc(wait, w.turn)
		return
	}
	w.alarm.Reset(wait)
}

// turn calls what has become due.
func (w *Wheel) turn() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.rings = 0
	if w.turning {
		return
	}
	w.turning = true
	for {
		present := int64(time.Since(w.began) / Tick)
		tick, l, slot, found := w.upcoming()
		if !found || tick > present {
			w.now = max(w.now, present)
			break
		}
		w.now = tick
		w.empty(l, slot)
	}
	w.turning = false
	w.setAlarm()
}

// empty calls the timers of a slot that are due, and moves the others down.
func (w *Wheel) empty(l, slot int) {
	for {
		t := w.levels[l].first[slot]
		if t == nil {
			return
		}
		w.take(t)
		if t.due > w.now {
			w.put(t)
			continue
		}
		w.mu.Unlock() // the timer may set itself or others
		t.Call()
		w.mu.Lock()
	}
}
