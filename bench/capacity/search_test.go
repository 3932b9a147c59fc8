package main

import (
	"errors"
	"testing"
)

func TestSearch(t *testing.T) {
	for fits := range 1200 {
		tries := 0
		found, err := search(bounds{first: 10, most: 1000, closely: 0.1}, func(size int) (outcome, error) {
			tries++
			return outcome{fits: size <= fits, measured: measured{size: size}}, nil
		})
		best, over, most := found.best, found.over, min(fits, 1000)
		if err != nil || best.size > most || fits >= 1000 && best.size < 1000 || best.size+max(1, best.size/10) < most || tries > 32 {
			t.Errorf("%d fit: %d were found by %d tries, %v", fits, best.size, tries, err)
		}
		if (over.size == 0) != (fits >= 1000) || over.size > 0 && over.size <= fits {
			t.Errorf("%d fit: %d is said not to", fits, over.size)
		}
	}
}

// One stall does not end a search, two in a row do; an error does at once.
func TestSearchTriesAgain(t *testing.T) {
	stalls := map[int]int{40: 1}
	try := func(size int) (outcome, error) {
		stalls[size]--
		return outcome{fits: stalls[size] < 0 && size <= 100, measured: measured{size: size}}, nil
	}
	if l, _ := search(bounds{10, 1000, 0.1}, try); l.best.size < 91 {
		t.Errorf("after one stall %d", l.best.size)
	}
	stalls = map[int]int{40: 2}
	if l, _ := search(bounds{10, 1000, 0.1}, try); l.best.size >= 40 || l.over.size > 40 {
		t.Errorf("after two stalls %d", l.best.size)
	}
	broken := errors.New("broken")
	if _, err := search(bounds{10, 1000, 0.1}, func(int) (outcome, error) { return outcome{}, broken }); !errors.Is(err, broken) {
		t.Error(err)
	}
}
