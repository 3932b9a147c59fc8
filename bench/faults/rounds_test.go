package faults_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"
)

// round is a stretch of a run in which some faults are on, together or one after the other, and after
// which everything has to be well again.
type round struct {
	number  int
	strikes []*strike
	began   time.Time
	over    time.Time
	recover []time.Duration // of each reader, from when the last fault was lifted
	during  []time.Duration // of each reader, for a letter sent while faults were on that may not delay it
}

// strike is one fault of a round.
type strike struct {
	*fault
	node  int
	start time.Duration // after the round began
	hold  time.Duration
	on    time.Time
	off   time.Time
	err   error
}

func (s *strike) String() string {
	if s.each {
		return fmt.Sprintf("%s %c for %v", s.name, 'A'+s.node, s.hold)
	}
	return fmt.Sprintf("%s for %v", s.name, s.hold)
}

// overlaps says whether two faults were on at the same time.
func (s *strike) overlaps(other *strike) bool {
	return s != other && s.on.Before(other.off) && other.on.Before(s.off)
}

// overlapping counts the faults of all rounds, and those that were on while another was.
func overlapping(rounds []*round) (all, together int) {
	for _, r := range rounds {
		all += len(r.strikes)
		for _, s := range r.strikes {
			if slices.ContainsFunc(r.strikes, s.overlaps) {
				together++
			}
		}
	}
	return all, together
}

// schedule draws the rounds. The same seed and the same faults give the same rounds.
type schedule struct {
	dice  *rand.Rand
	known []fault
	left  []fault // of the present turn: every fault comes once in each
	drawn int
}

func newSchedule(seed uint64, known []fault) *schedule {
	return &schedule{dice: rand.New(rand.NewPCG(seed, 1)), known: known}
}

// next draws the faults of a round: mostly two or three at a time, sometimes one alone, so that its own
// time to recover can be told.
func (s *schedule) next() *round {
	s.drawn++
	r := &round{number: s.drawn}
	for count := []int{1, 2, 2, 2, 3}[s.dice.IntN(5)]; count > 0 && s.draw(r); count-- {
		last := r.strikes[len(r.strikes)-1]
		last.hold = last.fault.hold[0]
		if more := last.fault.hold[1] - last.hold; more > 0 {
			last.hold += time.Duration(s.dice.Int64N(int64(more))).Truncate(time.Millisecond)
		}
		last.start = time.Duration(s.dice.Int64N(int64(300 * time.Millisecond))).Truncate(time.Millisecond)
	}
	return r
}

// draw adds the next fault that needs nothing which those of the round have; false when there is none.
func (s *schedule) draw(r *round) bool {
	if len(s.left) == 0 {
		s.left = slices.Clone(s.known)
		s.dice.Shuffle(len(s.left), func(i, k int) { s.left[i], s.left[k] = s.left[k], s.left[i] })
	}
	node := s.dice.IntN(2)
	for i := range s.left {
		next := &strike{fault: &s.left[i], node: node}
		if slices.ContainsFunc(r.strikes, next.clashes) {
			continue
		}
		chosen := s.left[i]
		next.fault = &chosen
		s.left = slices.Delete(s.left, i, i+1)
		r.strikes = append(r.strikes, next)
		return true
	}
	return false
}

// clashes says whether two faults need the same for themselves.
func (s *strike) clashes(other *strike) bool {
	return s.uses == other.uses && (!s.each || !other.each || s.node == other.node)
}

// wellWithin is how long after the last fault of a round everybody may be without news.
const wellWithin = 30 * time.Second

// run has the faults of a round happen, and waits until all is well.
func (w *world) run(r *round) {
	r.began = time.Now()
	var striking sync.WaitGroup
	for _, s := range r.strikes {
		striking.Go(func() {
			time.Sleep(s.start) // when the blow falls must not depend on what the server does
			if s.on, s.err = time.Now(), w.strike(s); s.err != nil {
				w.breaks(broken, s.name, "%v", s.err)
			}
			s.off = time.Now()
		})
	}
	if within := r.promised(); within > 0 {
		w.probeDuring(r, within)
	}
	striking.Wait()
	last := time.Now()
	p := w.probe(wellWithin)
	if missing := p.missing(); len(missing) > 0 {
		w.breaks(broken, strings.Join(missing[:min(3, len(missing))], " "),
			"%d readers have got nothing %v after round %d", len(missing), wellWithin, r.number)
	}
	r.recover = p.since(last)
	r.over = time.Now()
}

// strike turns one fault on and off.
func (w *world) strike(s *strike) error {
	lift, err := s.fault.strike(w, s.node)
	if err != nil {
		return err
	}
	time.Sleep(s.hold)
	if lift == nil {
		return nil
	}
	return lift()
}

// probeDuring sends a letter while faults are on that may not delay it, and looks when it came.
func (w *world) probeDuring(r *round, within time.Duration) {
	first := r.strikes[0]
	time.Sleep(first.start + min(first.hold, time.Second)/2)
	sent := time.Now()
	p := w.probe(within + wellWithin)
	r.during = p.since(sent)
	if late := longest(r.during); late > within {
		w.breaks(broken, fmt.Sprint(r.strikes), "a letter took %v while it was on, more than %v", late, within)
	}
}

// promised is how late a letter may be while the faults of a round are on; 0 = one of them promises nothing.
func (r *round) promised() (most time.Duration) {
	for _, s := range r.strikes {
		if s.within == 0 {
			return 0
		}
		most = max(most, s.within)
	}
	return most
}

func longest(times []time.Duration) (most time.Duration) {
	for _, d := range times {
		most = max(most, d)
	}
	return most
}
