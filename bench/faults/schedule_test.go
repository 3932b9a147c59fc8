package faults_test

import (
	"fmt"
	"testing"
)

// TestScheduleReplays: a seed gives the same rounds again, every fault gets its turn, and no two of a round
// need the same.
func TestScheduleReplays(t *testing.T) {
	const rounds = 200
	draw := func(seed uint64) (text string, seen map[string]int) {
		s, seen := newSchedule(seed, faults), map[string]int{}
		for range rounds {
			r := s.next()
			text += fmt.Sprintln(r.strikes)
			for i, strike := range r.strikes {
				seen[strike.name]++
				for _, other := range r.strikes[:i] {
					if strike.clashes(other) {
						t.Errorf("%v and %v in one round", strike, other)
					}
				}
			}
		}
		return text, seen
	}
	first, seen := draw(5)
	if again, _ := draw(5); again != first {
		t.Error("the same seed gave other rounds")
	}
	if other, _ := draw(6); other == first {
		t.Error("another seed gave the same rounds")
	}
	for _, f := range faults {
		if seen[f.name] < rounds/len(faults) {
			t.Errorf("%s came %d times in %d rounds", f.name, seen[f.name], rounds)
		}
	}
}
